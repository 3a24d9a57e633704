/** What the API server itself says that the components may do, held against a list (RELIABILITY §4.10). */
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { systemNamespace } from '../../api/installation.ts';
import { must } from './harness/run.ts';

interface Rule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  verbs: string[];
}

/** Lines `VERBS GROUP/RESOURCE (NAME)` of the rules that hold for an account in a namespace. */
async function rights(account: string, namespace: string): Promise<string[]> {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace },
  };
  const output = await must(
    'kubectl',
    ['create', '--validate=false', '-f', '-', '-o', 'json', `--as=${account}`, ...groupsOf(account)],
    {
      input: JSON.stringify(review),
    },
  );
  const { status } = JSON.parse(output) as { status: { resourceRules: Rule[]; incomplete: boolean } };
  return status.resourceRules
    .flatMap(({ apiGroups = [], resources = [], resourceNames = [''], verbs }) =>
      apiGroups.flatMap(group =>
        resources.flatMap(resource =>
          resourceNames.map(
            name =>
              `${verbs.toSorted().join(',')} ${group === '' ? 'core' : group}/${resource}${name === '' ? '' : ` ${name}`}`,
          ),
        ),
      ),
    )
    .toSorted();
}

const groupsOf = (account: string): string[] =>
  ['system:serviceaccounts', `system:serviceaccounts:${account.split(':')[2]}`, 'system:authenticated'].map(
    group => `--as-group=${group}`,
  );

const account = (name: string): string => `system:serviceaccount:${systemNamespace}:${name}`;

test.each(['tulle-control-plane', 'tulle-injector'])(
  '%s may do what is listed, and nothing else',
  async name => {
    const everybody = new Set(await rights('system:serviceaccount:default:default', 'default'));
    const own = (lines: string[]): string[] => [...new Set(lines.filter(line => !everybody.has(line)))];
    const everywhere = own(await rights(account(name), 'default'));
    const inside = own(await rights(account(name), systemNamespace)).filter(
      line => !everywhere.includes(line),
    );
    await expect(
      stringify({ 'in every namespace': everywhere, [`in ${systemNamespace}`]: inside }, { lineWidth: 0 }),
    ).toMatchFileSnapshot(new URL(`./golden/rights-of-${name}.yaml`, import.meta.url).pathname);
  },
);
