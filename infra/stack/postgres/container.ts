import { chown, rm, writeFile } from 'node:fs/promises';
import type { Docker } from '../../../adapters/docker/connection.ts';
import { ensureImage } from '../container/image.ts';
import { identityFor, sameFolder, type ContainerOrder, type ContainerUser } from '../container/order.ts';
import { containerPart, usableDocker } from '../container/part.ts';
import { runInContainer } from '../container/run.ts';
import { asOptions, mustBeEnterable, settings } from './postgres.ts';
import { ensureDatabase, majorOf, serverOn } from './data.ts';
import { containerUser } from './user.ts';
import type { PostgresSearch, PostgresServer } from './ways.ts';
import { StackError } from '../stack-error.ts';
import { WayClosed } from '../ways.ts';

const memoryBytes = 1024 ** 3;

/**
 * Postgres in a container, on the data folder that an installed one of the same major version would use. The image's
 * entrypoint is left out: it makes a database in its place, where one that is half made would be taken for a whole one.
 * Throws WayClosed when this machine cannot do it.
 */
export async function postgresContainer(search: PostgresSearch): Promise<PostgresServer> {
  const { home, port, image: reference, dockerHost } = search;
  const data = home.path('pg', 'data');
  await mustFit(reference, data);
  const docker = await usableDocker(dockerHost);
  const image = await ensureImage(reference, { ...search, docker });
  await mustBeFree(data);
  const user = await containerUser(data);
  if (process.getuid?.() === 0) await mustBeEnterable(home.root);
  const order = {
    ...{ docker_host: dockerHost, image, user, memory_bytes: memoryBytes, stop_signal: 'SIGINT' as const },
    env: { LC_ALL: 'C.UTF-8' },
    binds: [sameFolder(home.path('pg'))],
  };
  await ensureDatabase(home, user, initdbIn(docker, { ...order, ...identityFor(home, 'postgres-init') }, search));
  // Those of the data know only who comes from this machine; behind a published port everybody comes from Docker's bridge.
  const rules = home.path('pg', 'container_hba.conf');
  await writeFor(user, rules, 'host all all all scram-sha-256\n');
  const options = { ...settings, listen_addresses: '*', hba_file: rules, port: String(port) };
  const part = containerPart('postgres', {
    ...order,
    ...identityFor(home, 'postgres'),
    ...{ argv: ['postgres', '-D', data, ...asOptions(options)], port },
  });
  return { part, origin: `${reference} in Docker` };
}

/** Before anything is pulled. */
async function mustFit(reference: string, data: string): Promise<void> {
  const known = await majorOf(data);
  const major = Number(/:(\d+)[^/:]*$/.exec(reference.replace(/@.*/, ''))?.[1]);
  if (known === null || known === major) return;
  throw new WayClosed(`The image ${reference} is not for the data in ${data}, which is of PostgreSQL ${known}`);
}

/** Postgres' own lock is a process id and a segment of memory, neither of which means anything inside a container. */
async function mustBeFree(data: string): Promise<void> {
  const pid = await serverOn(data);
  if (pid === null) return;
  throw new StackError(`Process ${pid} serves the data in ${data} already`, `Stop it: kill -INT ${pid}`);
}

function initdbIn(docker: Docker, order: Omit<ContainerOrder, 'argv' | 'port'>, { home, signal }: PostgresSearch) {
  return async (args: readonly string[]): Promise<void> => {
    // initdb wants its user to have a name.
    const names = home.path('pg', 'passwd.partial');
    const { uid, gid } = order.user;
    await writeFor(order.user, names, `postgres:x:${uid}:${gid}::/:/bin/false\n`);
    const binds = [...order.binds, { source: names, target: '/etc/passwd', read_only: true }];
    try {
      await runInContainer(docker, { ...order, binds, argv: ['initdb', ...args], port: null }, signal);
    } finally {
      await rm(names, { force: true });
    }
  };
}

async function writeFor({ uid, gid }: ContainerUser, path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  if (process.getuid?.() === 0) await chown(path, uid, gid);
}
