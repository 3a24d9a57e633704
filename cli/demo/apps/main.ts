/** The demo's services, one process each: `main.ts web|catalog|orders|payments`. They know nothing of the mesh. */
import { paymentsClient, servePayments } from './payments.ts';
import { type ServiceEnvironment, serve } from './server.ts';

const { env } = process;
const environment: ServiceEnvironment = {
  host: env.HOST ?? '0.0.0.0',
  port: Number(env.PORT ?? 8080),
  pod: env.HOSTNAME ?? 'unknown',
  version: env.VERSION ?? 'v1',
};

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url);
  if (!response.ok)
    throw new Error(`${url} answered ${response.status} ${response.headers.get('tulle-error') ?? ''}`);
  return response.json();
}

const role = process.argv[2];
switch (role) {
  case 'web': {
    const catalog = env.CATALOG ?? 'http://catalog';
    const orders = env.ORDERS ?? 'http://orders';
    serve(
      {
        name: 'web',
        answer: async () => ({
          catalog: await getJson(`${catalog}/items`),
          orders: await getJson(`${orders}/recent`),
        }),
      },
      environment,
    );
    break;
  }
  case 'catalog':
    serve({ name: 'catalog', answer: () => ({ items: ['lace', 'silk', 'tulle'] }) }, environment);
    break;
  case 'orders': {
    const pay = paymentsClient(env.PAYMENTS ?? 'payments:9000');
    serve({ name: 'orders', answer: async () => ({ payment: await pay(42) }) }, environment);
    break;
  }
  case 'payments':
    servePayments(environment);
    break;
  default:
    process.stderr.write(`usage: main.ts web|catalog|orders|payments, not ${JSON.stringify(role)}\n`);
    process.exit(2);
}
