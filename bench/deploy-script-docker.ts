import { readdir } from 'node:fs/promises';
import { createDocker } from '../adapters/docker/connection.ts';
import { removeContainers } from './deploy-holdfast.ts';
import { createBareScript, type BareScript, type ScriptOptions } from './deploy-script.ts';
import { containerPort } from './deploy-workloads.ts';

const repository = 'holdfast-bench-script';
const stopSeconds = 10;

/** docker build, docker stop, docker run: over the Engine API, so that no start of a program is counted on one side only. */
export function createDockerScript(options: ScriptOptions & { readonly dockerSocket: string }): BareScript {
  const { dockerSocket, folder, port, cleanup, signal } = options;
  const { api } = createDocker({ socketPath: dockerSocket });
  const label = `holdfast.bench=${folder}`;
  cleanup.add("the script's containers", () =>
    removeContainers({ dockerHost: `unix://${dockerSocket}` }, label, repository),
  );
  let running: string | null = null;

  async function build(sha: string, context: string): Promise<void> {
    const src = (await readdir(context, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(context.length + 1));
    const version = (await usesBuildKit()) ? { version: '2' as const } : {};
    const settings = { t: `${repository}:${sha}`, rm: true, forcerm: true, abortSignal: signal, ...version };
    const account = await api.buildImage({ context, src }, settings);
    await new Promise<void>((resolve, reject) => {
      api.modem.followProgress(account, (error, lines: { error?: string }[]) => {
        const complaint = error?.message ?? lines.find((line) => line.error !== undefined)?.error;
        if (complaint === undefined) resolve();
        else reject(new Error(`The script's build failed: ${complaint}`));
      });
    });
  }

  /** As the CLI chooses, and so Holdfast. */
  async function usesBuildKit(): Promise<boolean> {
    const answer = await createDocker({ socketPath: dockerSocket }).stream('/_ping', {});
    answer.resume();
    return answer.headers['builder-version'] === '2';
  }

  async function replace(sha: string): Promise<void> {
    const old = running;
    if (old !== null) {
      await api.getContainer(old).stop({ t: stopSeconds });
      await api.getContainer(old).remove({ v: true });
    }
    signal.throwIfAborted();
    const inside = `${containerPort}/tcp`;
    const [name = '', value = ''] = label.split('=');
    const container = await api.createContainer({
      Image: `${repository}:${sha}`,
      Env: [`BUILD_SHA=${sha}`],
      Labels: { [name]: value },
      ExposedPorts: { [inside]: {} },
      HostConfig: { Init: true, PortBindings: { [inside]: [{ HostIp: '127.0.0.1', HostPort: String(port) }] } },
    });
    running = container.id;
    await container.start();
  }

  return createBareScript(options, { build, replace });
}
