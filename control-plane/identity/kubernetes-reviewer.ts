import { tokenAudience } from '../../api/installation.ts';
import { type ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import type { TokenReview, TokenReviewer } from './token-review.ts';

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';

/** Status of a TokenReview (authentication.k8s.io/v1). */
interface Status {
  readonly authenticated?: boolean;
  readonly audiences?: readonly string[];
  readonly error?: string;
  readonly user?: {
    readonly username?: string;
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/;
const POD_NAME = 'authentication.kubernetes.io/pod-name';

/** Reviews projected service-account tokens by TokenReview. A token for any other audience proves nothing. */
export function kubernetesReviewer(api: ApiClient): TokenReviewer {
  return {
    async review(token) {
      try {
        const review = await api.create<{ status?: Status }>(PATH, {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token, audiences: [tokenAudience] },
        });
        return judge(review.status, token);
      } catch (error) {
        // Only the status: the text of an error may quote what was sent.
        const cause = error instanceof ApiError ? `status ${error.status}` : 'it cannot be reached';
        return {
          kind: 'unavailable',
          reason: `the API server did not review the token: ${cause}; the sidecar tries again`,
        };
      }
    },
  };
}

const refused = (reason: string): TokenReview => ({ kind: 'refused', reason });

const REMEDY = `mount a projected token with audience ${tokenAudience}, as injection does`;

function judge(status: Status | undefined, token: string): TokenReview {
  if (status?.authenticated !== true) {
    const cause = status?.error === undefined || status.error === '' ? 'it is not valid' : status.error;
    return refused(`the token is refused by the API server: ${cause}${describe(token)}; ${REMEDY}`);
  }
  // An API server that does not know audiences leaves them out of the answer: then nothing was checked.
  if (!(status.audiences ?? []).includes(tokenAudience)) {
    return refused(
      `the token was not reviewed for the audience ${tokenAudience}${describe(token)}; ${REMEDY}`,
    );
  }
  const account = SERVICE_ACCOUNT.exec(status.user?.username ?? '');
  if (account === null) {
    return refused(
      `the token belongs to ${JSON.stringify(status.user?.username)}, which is no service account; ${REMEDY}`,
    );
  }
  const [pod] = status.user?.extra?.[POD_NAME] ?? [];
  if (pod === undefined) return refused(`the token is bound to no pod; ${REMEDY}`);
  return { kind: 'proven', workload: { namespace: account[1], serviceAccount: account[2], pod } };
}

/** What a JWT says of itself, to make the message useful; nothing is decided by it. */
function describe(token: string): string {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      aud?: unknown;
      exp?: unknown;
    };
    const expiry = typeof claims.exp === 'number' ? `, end ${new Date(claims.exp * 1000).toISOString()}` : '';
    return ` (it says: audience ${JSON.stringify(claims.aud)}${expiry})`;
  } catch {
    return '';
  }
}
