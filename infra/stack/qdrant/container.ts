import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { ensureImage } from '../container/image.ts';
import { identityFor, sameFolder } from '../container/order.ts';
import { containerPart, usableDocker } from '../container/part.ts';
import { runInContainer } from '../container/run.ts';
import { writeAtomically } from '../../write-atomically.ts';
import type { QdrantPart } from './ways.ts';
import { qdrantEnvironment, type QdrantSetup } from './qdrant.ts';

interface QdrantContainerSearch extends QdrantSetup {
  readonly image: string;
  /** As in DOCKER_HOST. */
  readonly dockerHost: string;
  /** False: of images, only those that are on this machine. */
  readonly mayPull: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const leastMemoryBytes = 1024 ** 3;
const keysInside = '/run/holdfast/keys.yaml';

/** Qdrant in a container. Throws WayClosed when this machine cannot do it. */
export async function qdrantContainer(search: QdrantContainerSearch): Promise<QdrantPart> {
  const { home, port, image: reference, dockerHost } = search;
  const docker = await usableDocker(dockerHost);
  const image = await ensureImage(reference, { ...search, docker });
  const folder = home.path('qdrant');
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  // What is in a container's environment, everybody reads who may ask Docker.
  const { QDRANT__SERVICE__API_KEY, QDRANT__SERVICE__READ_ONLY_API_KEY, ...env } = qdrantEnvironment(search, '0.0.0.0');
  const keys = join(home.secrets, 'qdrant-container.yaml');
  const service = { api_key: QDRANT__SERVICE__API_KEY, read_only_api_key: QDRANT__SERVICE__READ_ONLY_API_KEY };
  // JSON is YAML.
  await writeAtomically(keys, JSON.stringify({ service }));
  const order = {
    ...{ docker_host: dockerHost, image, env, stop_signal: 'SIGTERM' as const },
    // Not the entrypoint of the image: it may start Qdrant in a mode of its own after a kill.
    argv: ['/qdrant/qdrant', '--config-path', keysInside],
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    binds: [sameFolder(folder), { source: keys, target: keysInside, read_only: true }],
    memory_bytes: Math.max(leastMemoryBytes, Math.floor(totalmem() / 2)),
  };
  // Before it has data, which nothing else could read.
  if (!existsSync(search.storage)) {
    const trial = { ...order, ...identityFor(home, 'qdrant-trial'), argv: ['/qdrant/qdrant', '--version'], port: null };
    await runInContainer(docker, trial, search.signal);
  }
  const part = containerPart('qdrant', { ...order, ...identityFor(home, 'qdrant'), port });
  return { part, origin: `${reference} in Docker` };
}
