import { expect, test } from 'vitest';
import { FlushQueue, Output, type OutputSink } from './output.ts';

/** A sink that copies what it is lent, and holds it back while it is told to. */
class Sink implements OutputSink {
  readonly writes: string[] = [];
  retained = false;
  held = 0;
  blocked = false;

  write(bytes: Buffer): number {
    this.writes.push(bytes.toString('latin1'));
    if (this.blocked) this.held += bytes.length;
    return this.held;
  }

  lend(bytes: Buffer): number {
    return this.write(bytes);
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve));

test('what a turn writes leaves as one write, in order', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue());
  output.text('head ');
  output.chunk(Buffer.from('body '));
  output.chunk(Buffer.alloc(100_000, 'x'));
  output.text(' end');
  expect(sink.writes).toEqual([]);
  await turn();
  expect(sink.writes).toEqual([`head body ${'x'.repeat(100_000)} end`]);
  expect([output.written, output.delivered, output.position]).toEqual([100_014, 100_014, 100_014]);
});

test('a chunk may be used again as soon as it was written', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue());
  const chunk = Buffer.from('first');
  output.chunk(chunk);
  chunk.write('other');
  output.chunk(chunk);
  await turn();
  expect(sink.writes).toEqual(['firstother']);
});

test('while the sink holds bytes the next ones wait, and leave together', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue());
  sink.blocked = true;
  output.text('a');
  await turn();
  output.text('b');
  await turn();
  output.text('c');
  await turn();
  expect(sink.writes).toEqual(['a']);
  expect([output.buffered, output.delivered]).toEqual([3, 0]);
  sink.blocked = false;
  sink.held = 0;
  output.taken(0);
  expect(sink.writes).toEqual(['a', 'bc']);
  expect([output.buffered, output.delivered]).toEqual([0, 3]);
});

test('is full above the high-water mark and tells when half of it has gone', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue(), 1000);
  let drained = 0;
  output.onDrain = () => drained++;
  sink.blocked = true;
  output.chunk(Buffer.alloc(1000));
  expect(output.writable).toBe(false);
  await turn();
  output.taken(600);
  expect(drained).toBe(0);
  output.taken(400);
  expect([drained, output.writable]).toEqual([1, true]);
  output.taken(0);
  expect(drained).toBe(1);
});

test('finish hands over what waits behind what is held, and takes nothing after it', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue());
  sink.blocked = true;
  output.text('a');
  await turn();
  output.text('b');
  output.finish();
  output.text('c');
  await turn();
  expect(sink.writes).toEqual(['a', 'b']);
});

test('nothing is written after close', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue());
  output.text('a');
  output.close();
  output.text('b');
  await turn();
  expect(sink.writes).toEqual([]);
});

test('an output that has nothing to send holds no space, and outputs of different turns share it', async () => {
  const queue = new FlushQueue();
  const [one, other] = [new Output(new Sink(), queue), new Output(new Sink(), queue)];
  one.chunk(Buffer.alloc(20_000));
  const space = one.bytes;
  await turn();
  expect(one.bytes.length).toBe(0);
  other.chunk(Buffer.alloc(20_000));
  expect(other.bytes).toBe(space);
});

test('space that the sink still uses is not used again', async () => {
  const queue = new FlushQueue();
  const sink = new Sink();
  const output = new Output(sink, queue);
  output.text('a');
  const space = output.bytes;
  sink.retained = true;
  await turn();
  output.text('b');
  expect(output.bytes).not.toBe(space);
});
