import { FieldCache } from './field-cache.ts';
import { HeadParser } from './head-parser.ts';
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from './limits.ts';
import type { Refusal } from './refusal.ts';

/** Hears what goes wrong on HTTP/1.1 connections, for metrics and logs. Must not call the connection back. */
export interface Http1Observer {
  /** A limit was exceeded. */
  onLimit(name: keyof Http1Limits): void;
  /** A client (`server` side) or an upstream (`client` side) broke the protocol. */
  onRefusal(side: 'server' | 'client', refusal: Refusal): void;
}

/** What all HTTP/1.1 connections of a process share. */
export class Http1Codec {
  readonly limits: Http1Limits;
  readonly observer: Http1Observer;
  readonly parser: HeadParser;

  constructor(observer: Http1Observer, limits: Http1Limits = DEFAULT_HTTP1_LIMITS) {
    this.limits = limits;
    this.observer = observer;
    this.parser = new HeadParser(limits, new FieldCache());
  }

  /** Reports a refusal to the observer. */
  refused(side: 'server' | 'client', refusal: Refusal): void {
    if (refusal.limit === '') this.observer.onRefusal(side, refusal);
    else this.observer.onLimit(refusal.limit);
  }
}
