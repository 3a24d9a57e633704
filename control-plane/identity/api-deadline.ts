import { type ConfigurationOptions, Observable, type ObservableMiddleware } from '@kubernetes/client-node';

/** Options of one call to the API server that give it up after `ms`; an API server that hangs must not hang us. */
export function withDeadline(ms: number): ConfigurationOptions<ObservableMiddleware> {
  return {
    middlewareMergeStrategy: 'append',
    middleware: [
      {
        pre(request) {
          request.setSignal(AbortSignal.timeout(ms));
          return new Observable(Promise.resolve(request));
        },
        post: response => new Observable(Promise.resolve(response)),
      },
    ],
  };
}
