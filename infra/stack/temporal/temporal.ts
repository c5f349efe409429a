import { Connection, isGrpcServiceError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenersInTheWay } from '../../../adapters/process/listeners.ts';
import { connectionOptions, type TemporalServer } from '../../../adapters/temporal/connect.ts';
import { ensureNamespace } from '../../../adapters/temporal/namespace.ts';
import { searchAttributeNames } from '../../../domain/search-attributes.ts';
import type { Home } from '../home.ts';
import type { Ports } from '../ports.ts';
import type { Patience } from '../postgres/postgres.ts';
import { StackError } from '../stack-error.ts';
import type { Part, Supervised } from '../supervised.ts';

// The dev server as it comes polls its queues 20 times a second and lets timers be a second late: ten activities a second.
const dynamicConfig = {
  'history.transferProcessorMaxPollRPS': '1000',
  'history.transferProcessorMaxPollHostRPS': '10000',
  'history.timerProcessorMaxPollRPS': '1000',
  'history.timerProcessorMaxPollHostRPS': '10000',
  'history.timerProcessorMaxTimeShift': '"10ms"',
};

/** PERMISSION_DENIED and UNAUTHENTICATED of gRPC: waiting does not help. */
const refusals = new Set([7, 16]);

/** Temporal on a file database that survives a power cut, on the loopback interface only: it has no authentication. */
export function temporalPart(home: Home, program: string, ports: Ports, namespace: string): Part {
  const flags = {
    ip: '127.0.0.1',
    port: String(ports.temporal),
    'ui-port': String(ports.temporal_ui),
    'db-filename': home.path('temporal', 'temporal.db'),
    namespace,
    'log-level': 'warn',
  };
  const many: [string, string][] = [
    ['sqlite-pragma', 'journal_mode=wal'],
    ['sqlite-pragma', 'synchronous=full'],
    ...Object.entries(dynamicConfig).map(([key, value]): [string, string] => [
      'dynamic-config-value',
      `${key}=${value}`,
    ]),
    ...searchAttributeNames.map((name): [string, string] => ['search-attribute', `${name}=Keyword`]),
  ];
  const args = [...Object.entries(flags), ...many].flatMap(([flag, value]) => [`--${flag}`, value]);
  return {
    name: 'temporal',
    argv: [program, 'server', 'start-dev', ...args],
    env: { PATH: process.env['PATH'], HOME: home.path('temporal'), TMPDIR: process.env['TMPDIR'] },
    stopSignal: 'SIGTERM',
  };
}

/**
 * Whether this part listens on its port by now. Another Holdfast that starts on this machine may have been given the same
 * one, and its Temporal asks nobody for a password: we would run its work, and it ours. Throws StackError then.
 */
export function hasItsPort(part: Supervised, port: number): boolean {
  const listeners = listenersInTheWay('127.0.0.1', port);
  const stranger = listeners.find(({ pid }) => pid === null || pid !== part.pid());
  if (stranger === undefined) return listeners.length > 0;
  throw new StackError(
    `Port ${port}, which Temporal was to have, was taken meanwhile by ${stranger.pid === null ? 'another user' : `process ${stranger.pid}`}`,
    'Start again: another port is chosen then.',
  );
}

/** Waits until the server answers, and is the one that is meant, then sees to the namespace: ours and anybody's. */
export async function readyTemporal(
  server: TemporalServer,
  namespace: string,
  { timeoutMs, signal }: Patience,
  isThere: () => boolean = () => true,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (!isThere()) throw new Error('nobody listens there yet');
      const connection = await Connection.connect({ ...connectionOptions(server), connectTimeout: 2_000 });
      try {
        await ensureNamespace(connection, namespace);
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (error instanceof StackError) throw error;
      const isRefused = isGrpcServiceError(error) && refusals.has(error.code);
      if (isRefused || Date.now() > deadline) {
        const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
        throw new StackError(
          `Temporal at ${server.address} does not serve namespace ${namespace}: ${why ?? ''}`,
          'See the log of Temporal, or check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and its TLS and key.',
        );
      }
      await sleep(100);
    }
  }
}
