import type { ApplicationAddress } from '../own-addresses.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { contentTypes, negotiate, renderMetrics } from '../telemetry/render-metrics.ts';
import type { AdminResponse } from './admin-server.ts';
import { type GetContext, type GetResult, httpGet } from './http-get.ts';
import { type ApplicationMetrics, isReplaced, readApplicationMetrics } from './merge-metrics.ts';

/** Prometheus gives up a scrape after 10 s by default; its own metrics must come before that. */
const TIMEOUT_MS = 3000;
const MAX_BYTES = 4 * 1024 * 1024;

/** Reads the application's own metrics. */
export class ApplicationScraper {
  readonly #context: GetContext;
  readonly #url: URL;
  readonly #addresses: readonly ApplicationAddress[];
  /** The last try worked. */
  up = false;
  /** Why it did not; '' if it did. */
  failure = '';

  /** `addresses` are dialled in turn until one listens; the URL says the port, the path and the Host field. */
  constructor(context: GetContext, url: URL, addresses: readonly ApplicationAddress[]) {
    this.#context = context;
    this.#url = url;
    this.#addresses = addresses;
  }

  /** null if the application does not answer properly, which must not fail the scrape. */
  async read(): Promise<ApplicationMetrics | null> {
    const result = await this.#get();
    if (result.kind === 'failed') this.failure = result.reason;
    else this.failure = result.status === 200 ? '' : `the application answers ${result.status}`;
    this.up = this.failure === '';
    return result.kind === 'answer' && this.up ? readApplicationMetrics(result.body.toString('utf8')) : null;
  }

  async #get(): Promise<GetResult> {
    const url = this.#url;
    let result: GetResult = { kind: 'failed', refused: true, reason: 'there is no address' };
    for (const at of this.#addresses) {
      result = await httpGet(this.#context, {
        ...at,
        port: url.port === '' ? 80 : Number(url.port),
        tls: false,
        authority: url.host,
        path: `${url.pathname}${url.search}`,
        // Two expositions of OpenMetrics cannot stand behind each other.
        fields: ['accept', 'text/plain;version=0.0.4', 'user-agent', 'tulle'],
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
      });
      if (result.kind === 'answer' || !result.refused) break;
    }
    return result;
  }
}

/** The sidecar's metrics, and behind them the application's. */
export async function scrape(
  metrics: Metrics,
  application: ApplicationScraper | null,
  accept: string,
): Promise<AdminResponse> {
  const theirs = application === null ? null : await application.read();
  const format = application === null ? negotiate(accept) : 'text';
  let body = '';
  renderMetrics(metrics, format, piece => {
    if (theirs === null || !isReplaced(piece, theirs)) body += piece;
  });
  if (theirs !== null) body += theirs.text;
  return { status: 200, contentType: contentTypes[format], body };
}
