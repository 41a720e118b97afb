import { readdirSync } from 'node:fs';

/** A fact of the process that exports, under the name that every exporter has for it. */
export interface ProcessFact {
  kind: 'gauge' | 'counter';
  name: string;
  help: string;
  value: number;
}

/** What this process costs its host. */
export function processFacts(): ProcessFact[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      kind: 'counter',
      name: 'process_cpu_seconds_total',
      help: 'Total user and system CPU time spent in seconds.',
      value: (user + system) / 1e6,
    },
    {
      kind: 'gauge',
      name: 'process_resident_memory_bytes',
      help: 'Resident memory size in bytes.',
      value: process.memoryUsage.rss(),
    },
    {
      kind: 'gauge',
      name: 'process_open_fds',
      help: 'Number of open file descriptors.',
      value: readdirSync('/proc/self/fd').length,
    },
    {
      kind: 'gauge',
      name: 'process_start_time_seconds',
      help: 'Start time of the process since unix epoch in seconds.',
      value: performance.timeOrigin / 1000,
    },
  ];
}
