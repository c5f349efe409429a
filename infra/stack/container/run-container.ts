import { createDocker } from '../../../adapters/docker/connection.ts';
import type { ContainerOrder } from './order.ts';
import { runContainer } from './run.ts';

// The process that stands for a container in the supervisor: it ends when the container ends, with its exit code and log.

const order = JSON.parse(process.argv[2] ?? '') as ContainerOrder;
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());

runContainer(createDocker({ host: order.docker_host }), order, process, stop.signal).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${order.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
