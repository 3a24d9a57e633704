import { expect, test } from 'vitest';
import { ReadGate } from './read-gate.ts';
import { RecordingTransport } from './testing/recording-transport.ts';

test('reading goes on only when there is room and nobody has shut the gate', () => {
  const transport = new RecordingTransport();
  const gate = new ReadGate(transport);
  gate.delivered(70_000);
  gate.check();
  gate.close();
  expect(gate.closed).toBe(true);
  gate.consumed(70_000);
  expect(transport.paused).toBe(true);
  gate.delivered(70_000);
  gate.check();
  gate.open();
  expect(transport.paused).toBe(true);
  gate.reset();
  expect(transport.paused).toBe(false);
  expect(gate.closed).toBe(false);
});
