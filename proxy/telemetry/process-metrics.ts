/** What the clients of Prometheus report of every process, under their names. Read at scrape; costs nothing meanwhile. */
export interface ProcessMetric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly value: number;
}

export function processMetrics(): ProcessMetric[] {
  const cpu = process.cpuUsage();
  const memory = process.memoryUsage();
  return [
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'User and system CPU time.',
      value: (cpu.user + cpu.system) / 1e6,
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Resident memory.',
      value: memory.rss,
    },
    {
      name: 'process_start_time_seconds',
      type: 'gauge',
      help: 'Unix time of the start of the process.',
      value: Math.round((Date.now() - process.uptime() * 1000) / 1000),
    },
    {
      name: 'nodejs_heap_size_used_bytes',
      type: 'gauge',
      help: 'JavaScript heap in use.',
      value: memory.heapUsed,
    },
    {
      name: 'nodejs_external_memory_bytes',
      type: 'gauge',
      help: 'Memory of buffers outside of the heap.',
      value: memory.external,
    },
  ];
}
