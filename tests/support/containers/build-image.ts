import Dockerode from 'dockerode';
import { readdirSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { packageRoot } from '../../../infra/package-root.ts';

export interface ImageOrder {
  readonly tag: string;
  readonly args: Readonly<Record<string, string>>;
}

/** What `docker build -f infra/Dockerfile .` does, with the BuildKit that is in dockerd. */
export async function buildImage(socketPath: string, { tag, args }: ImageOrder): Promise<void> {
  // Connections of its own: that of the session is closed by dockerd, and must not be used again.
  const where = { socketPath, agent: new Agent({ keepAlive: false }) };
  const docker = new Dockerode(where);
  const context = { context: packageRoot, src: filesOfContext() };
  const options = { t: tag, dockerfile: 'infra/Dockerfile', buildargs: args, version: '2' as const };
  const stream = await docker.buildImage(context, options);
  const said: string[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const end = (error: Error | null): void =>
        error === null ? resolve() : reject(new Error(`${error.message}\n${said.join('').slice(-4_000)}`));
      docker.modem.followProgress(stream, end, ({ stream: text = '' }: { stream?: string }) => said.push(text));
    });
  } finally {
    // dockerode keeps the session open until it hears this.
    stream.emit('end');
  }
}

/** dockerode reads .dockerignore, but not before it has walked everything. */
function filesOfContext(): string[] {
  const large = new Set(['.cache', '.git', 'coverage', 'dist', 'node_modules', 'tests']);
  const top = readdirSync(packageRoot, { withFileTypes: true }).filter(({ name }) => !large.has(name));
  return top.flatMap((entry) => {
    if (!entry.isDirectory()) return [entry.name];
    const inside = readdirSync(join(packageRoot, entry.name), { recursive: true, withFileTypes: true });
    return inside
      .filter((each) => !each.isDirectory())
      .map((each) => join(each.parentPath, each.name).slice(packageRoot.length + 1));
  });
}
