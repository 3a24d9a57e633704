import { expect, test } from 'vitest';
import { FlushQueue, Output, type OutputSink } from './output.ts';

/** A sink that copies what it is lent, and holds it back while it is told to. */
class Sink implements OutputSink {
  readonly writes: string[] = [];
  retained = false;
  takesAtOnce = false;
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
  output.chunk(Buffer.alloc(50_000, 'x'));
  output.text(' end');
  expect(sink.writes).toEqual([]);
  await turn();
  expect(sink.writes).toEqual([`head body ${'x'.repeat(50_000)} end`]);
  expect([output.written, output.delivered, output.position]).toEqual([50_014, 50_014, 50_014]);
});

test('outputs of a turn leave in their order, and what they write meanwhile in the next', async () => {
  const queue = new FlushQueue();
  const sinks = [new Sink(), new Sink(), new Sink()];
  const [first, second, third] = sinks.map(sink => new Output(sink, queue));
  const order: string[] = [];
  first.onProgress = () => {
    first.onProgress = null;
    order.push('first');
    first.text(' again');
    second.text(' and more');
    third.text('late');
  };
  second.onProgress = () => order.push('second');
  third.onProgress = () => order.push('third');
  first.text('first');
  second.text('second');
  await turn();
  expect(order).toEqual(['first', 'second']);
  expect(sinks.map(({ writes }) => writes)).toEqual([['first'], ['second and more'], []]);
  await turn();
  expect(order).toEqual(['first', 'second', 'third']);
  expect(sinks.map(({ writes }) => writes)).toEqual([['first', ' again'], ['second and more'], ['late']]);
});

test('so much that waiting gains nothing leaves at once, and what comes of it is told at the end of the turn', async () => {
  const sink = new Sink();
  const output = new Output(sink, new FlushQueue());
  let progress = 0;
  output.onProgress = () => progress++;
  output.text('head ');
  output.chunk(Buffer.alloc(65_536, 'x'));
  output.text(' end');
  expect(sink.writes).toEqual([`head ${'x'.repeat(65_536)}`]);
  expect([output.position, progress]).toEqual([65_545, 0]);
  await turn();
  expect([sink.writes[1], progress]).toEqual([' end', 1]);
});

test('a long chunk is not copied for a sink that is done with it at once', async () => {
  const sink = new Sink();
  const lent: Buffer[] = [];
  sink.lend = bytes => {
    lent.push(bytes);
    return sink.write(bytes);
  };
  sink.takesAtOnce = true;
  const output = new Output(sink, new FlushQueue());
  const chunk = Buffer.alloc(65_536, 'x');
  output.chunk(chunk);
  expect(lent[0]).toBe(chunk);
  sink.blocked = true;
  output.chunk(chunk);
  output.chunk(chunk);
  await turn();
  expect(lent.length).toBe(2);
  sink.blocked = false;
  output.text(' end');
  output.taken(0);
  expect(lent[2].toString('latin1')).toBe(`${'x'.repeat(65_536)} end`);
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

test('space that the sink still uses is not used again before it is done', async () => {
  const queue = new FlushQueue();
  const sink = new Sink();
  const output = new Output(sink, queue);
  output.text('a');
  const space = output.bytes;
  sink.retained = sink.blocked = true;
  await turn();
  output.text('b');
  expect(output.bytes).not.toBe(space);
  sink.retained = sink.blocked = false;
  output.taken(0);
  output.text('c');
  expect([output.bytes, queue.take(1)]).toContain(space);
});

/** Turns that had one read each. */
async function turnsOfOneRead(queue: FlushQueue, turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) {
    const output = new Output(new Sink(), queue);
    queue.beginRead();
    output.text('x');
    queue.endRead();
    await turn();
  }
}

test('where reads come alone, what one of them writes leaves as soon as it has been passed on', async () => {
  const queue = new FlushQueue();
  const sink = new Sink();
  const output = new Output(sink, queue);
  queue.beginRead();
  output.text('a');
  queue.endRead();
  expect(sink.writes).toEqual([]);
  await turn();
  await turnsOfOneRead(queue, 31);
  queue.beginRead();
  output.text('b');
  output.text('c');
  expect(sink.writes).toEqual(['a']);
  queue.endRead();
  expect(sink.writes).toEqual(['a', 'bc']);
  // Not from a read: whoever writes may write more.
  output.text('d');
  expect(sink.writes).toEqual(['a', 'bc']);
  await turn();
  expect(sink.writes).toEqual(['a', 'bc', 'd']);
});

test('a read inside of another does not send what the outer one has begun', async () => {
  const queue = new FlushQueue();
  const sink = new Sink();
  const output = new Output(sink, queue);
  await turnsOfOneRead(queue, 32);
  queue.beginRead();
  output.text('a');
  queue.beginRead();
  output.text('b');
  queue.endRead();
  expect(sink.writes).toEqual([]);
  output.text('c');
  queue.endRead();
  expect(sink.writes).toEqual(['abc']);
});

test('when reads come together again, what they write leaves together', async () => {
  const queue = new FlushQueue();
  const sink = new Sink();
  const output = new Output(sink, queue);
  await turnsOfOneRead(queue, 32);
  const reads = 200;
  for (let i = 0; i < reads / 4; i++) {
    for (let read = 0; read < 4; read++) {
      queue.beginRead();
      output.text('x');
      queue.endRead();
    }
    await turn();
  }
  expect(sink.writes.join('')).toBe('x'.repeat(reads));
  expect(sink.writes.at(-1)).toBe('xxxx');
  // Sixteen were sent alone until somebody looked.
  expect(sink.writes.filter(bytes => bytes === 'x')).toHaveLength(16);
});
