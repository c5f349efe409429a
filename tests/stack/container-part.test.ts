import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDocker } from '../../adapters/docker/connection.ts';
import { endLeftoverContainers } from '../../infra/stack/container/leftovers.ts';
import { ensureImage } from '../../infra/stack/container/image.ts';
import { identityFor, sameFolder } from '../../infra/stack/container/order.ts';
import { containerPart } from '../../infra/stack/container/part.ts';
import { prepareHome } from '../../infra/stack/home.ts';
import { supervise, type Supervised } from '../../infra/stack/supervised.ts';
import { compileTree } from '../support/compile.ts';
import { busyboxPath, describeDocker } from '../support/docker.ts';
import { startDockerDaemon } from '../support/docker-daemon.ts';
import { machineLayer } from '../support/machine-image.ts';
import { configFor, createFolder } from '../support/own-home.ts';
import { startRegistry } from '../support/registry.ts';

const { signal } = new AbortController();

describeDocker('A server in a container', () => {
  test('comes back by itself after a dockerd that crashed, alone', async () => {
    const folder = createFolder();
    const daemon = await startDockerDaemon();
    const registry = await startRegistry();
    let web: Supervised | null = null;
    try {
      const home = await prepareHome(configFor(join(folder.path, 'home')));
      const docker = createDocker({ socketPath: daemon.socketPath });
      registry.publishLayer(
        'web',
        '1',
        await machineLayer({ programs: [], folders: [], placed: { [await busyboxPath()]: '/bin/busybox' } }),
        {},
      );
      const image = await ensureImage(`127.0.0.1:${registry.port}/web:1`, {
        ...{ docker, home, mayPull: true, say: () => undefined, signal },
      });
      mkdirSync(home.path('web'));
      const port = await getPort();
      const part = containerPart('web', {
        ...identityFor(home, 'web'),
        ...{ docker_host: `unix://${daemon.socketPath}`, image, env: {}, port, memory_bytes: 2 ** 27 },
        argv: ['/bin/sh', '-c', `cd ${home.path('web')}; echo started; exec /bin/busybox httpd -f -p ${port} -h .`],
        user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
        binds: [sameFolder(home.path('web'))],
        stop_signal: 'SIGKILL',
      });
      const [node, , order = ''] = part.argv;
      const argv = [node, compileTree().program('infra/stack/container/run-container.js'), order] as const;
      const log = () => readFileSync(join(home.logs, 'web.log'), 'utf8');
      const said: string[] = [];
      web = await supervise(home, { ...part, argv }, (line) => said.push(line));
      const answers = async () => (await fetch(`http://127.0.0.1:${port}/`).catch(() => null))?.status === 404;
      while (!(await answers())) await sleep(50);
      await daemon.kill();
      while (said.length === 0) await sleep(20);
      expect(said[0]).toContain('web ended (exit code 1)');
      await daemon.start();
      while (!(await answers())) await sleep(50);
      const found = await docker.api.listContainers({ all: true });
      expect(found.map(({ Names, State }) => [...Names, State])).toEqual([
        [`/${identityFor(home, 'web').name}`, 'running'],
      ]);
      expect(
        log()
          .split('\n')
          .filter((line) => line === 'started'),
      ).toHaveLength(2);
      expect(log()).toContain(`${identityFor(home, 'web').name}: Docker `);
      await web.stop();
      expect(await docker.api.listContainers({ all: true })).toEqual([]);
      expect(await endLeftoverContainers(home)).toEqual([]);
    } finally {
      await web?.stop();
      registry.stop();
      await daemon.remove();
      folder.remove();
    }
  }, 120_000);
});
