/** What users write and what happens then, through the whole mesh. */
import { afterAll, beforeAll } from 'vitest';
import { backendTlsCases } from './backend-tls.cases.ts';
import { corsCases } from './cors.cases.ts';
import { filterCases } from './filter.cases.ts';
import { policyCases } from './policy.cases.ts';
import { retryCases } from './retry.cases.ts';
import { sessionCases } from './session.cases.ts';
import { type RulesWorld, startRulesWorld } from './world.ts';

let world: RulesWorld;
beforeAll(async () => {
  world = await startRulesWorld();
}, 180_000);
afterAll(() => world?.stop());

corsCases(() => world);
retryCases(() => world);
sessionCases(() => world);
policyCases(() => world);
filterCases(() => world);
backendTlsCases(() => world);
