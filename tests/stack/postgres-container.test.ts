import getPort from 'get-port';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createDocker, type Docker } from '../../adapters/docker/connection.ts';
import { connect } from '../../adapters/postgres/connect.ts';
import { listProcesses } from '../../adapters/process/identity.ts';
import { endLeftoverContainers } from '../../infra/stack/container/leftovers.ts';
import { identityFor } from '../../infra/stack/container/order.ts';
import { prepareHome, type Home } from '../../infra/stack/home.ts';
import { postgresContainer } from '../../infra/stack/postgres/container.ts';
import { installedPrograms } from '../../infra/stack/postgres/programs.ts';
import { ownServer, postgresPart, postgresUrl, readyPostgres } from '../../infra/stack/postgres/postgres.ts';
import { stopLeftovers } from '../../infra/stack/process-record.ts';
import { supervise, type Part, type Supervised } from '../../infra/stack/supervised.ts';
import { compileTree } from '../support/compile.ts';
import { describeDocker, dockerSocket, removeImagesOf } from '../support/docker.ts';
import { machineLayer } from '../support/machine-image.ts';
import { configFor, createFolder, environmentFor } from '../support/own-home.ts';
import { startRegistry, type Registry } from '../support/registry.ts';

const patience = { timeoutMs: 30_000, signal: new AbortController().signal };

describeDocker('Postgres in a container', () => {
  const folder = createFolder();
  let docker: Docker;
  let registry: Registry;
  let image: string;
  let home: Home;
  let port: number;

  beforeAll(async () => {
    docker = createDocker({ socketPath: dockerSocket() });
    registry = await startRegistry();
    home = await prepareHome(configFor(join(folder.path, 'home')));
    port = await getPort();
    const { bin, major } = await installedPrograms(home.path('pg', 'data'));
    const [lib, share] = [join(bin, '../lib'), `/usr/share/postgresql/${major}`];
    const programs = ['postgres', 'initdb'].map((name) => join(bin, name));
    const modules = ['plpgsql.so', 'dict_snowball.so'].map((name) => join(lib, name));
    const folders = [share, '/usr/lib/locale/C.utf8', '/usr/share/zoneinfo'];
    const layer = await machineLayer({ programs: [...programs, ...modules], folders });
    registry.publishLayer('postgres', String(major), layer, { Env: [`PATH=${bin}:/bin`] });
    image = `127.0.0.1:${registry.port}/postgres:${major}`;
  }, 120_000);

  afterAll(async () => {
    await endLeftoverContainers(home);
    await removeImagesOf(docker, registry);
    registry.stop();
    folder.remove();
  });

  const dockerHost = (): string => `unix://${dockerSocket()}`;

  async function makePart(): Promise<Part> {
    const search = { home, port, image, dockerHost: dockerHost(), mayPull: true, say: () => undefined };
    const { part } = await postgresContainer({ ...search, signal: patience.signal });
    // dist/ may be older than the sources.
    const [node, , order = ''] = part.argv;
    return { ...part, argv: [node, compileTree().program('infra/stack/container/run-container.js'), order] };
  }

  async function start(): Promise<Supervised> {
    const supervised = await supervise(home, await makePart(), () => undefined);
    await ready();
    return supervised;
  }

  async function ready(): Promise<void> {
    await readyPostgres(await postgresUrl(home, port), 'holdfast', patience, ownServer(home));
  }

  async function query<T>(text: string): Promise<T[]> {
    const sql = connect(await postgresUrl(home, port), { name: 'test', max: 1 });
    try {
      return (await sql.unsafe(text)) as unknown as T[];
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  async function containers(): Promise<string[]> {
    const filters = { label: [`holdfast.home=${home.root}`] };
    const found = await docker.api.listContainers({ all: true, filters });
    return found.flatMap(({ Names }) => Names.map((name) => name.slice(1)));
  }

  /** The processes, of this machine and in containers, that serve the data. */
  function servers(): number[] {
    const serves = (pid: number): boolean => {
      try {
        const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return /(^|\/)postgres$/.test(program) && args.includes(home.path('pg', 'data'));
      } catch {
        return false;
      }
    };
    return listProcesses().flatMap(({ pid }) => (serves(pid) ? [pid] : []));
  }

  function runner(): number {
    return (JSON.parse(readFileSync(join(home.run, 'process-postgres.json'), 'utf8')) as { pid: number }).pid;
  }

  test('serves as its owner, on the loopback interface, with no secret in sight, and leaves no container', async () => {
    const postgres = await start();
    await query('create table kept (n int)');
    await query('insert into kept values (1)');
    const { name } = identityFor(home, 'postgres');
    expect(await containers()).toEqual([name]);
    const seen = await docker.api.getContainer(name).inspect();
    const password = readFileSync(join(home.secrets, 'postgres-password'), 'utf8').trim();
    expect(JSON.stringify(seen)).not.toContain(password);
    expect(seen.HostConfig.PortBindings).toEqual({
      [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(port) }],
    });
    expect(seen.HostConfig.RestartPolicy?.Name).toBe('no');
    await postgres.stop();
    expect(await containers()).toEqual([]);
    expect(readFileSync(join(home.logs, 'postgres.log'), 'utf8')).not.toContain('not properly shut down');
    const { uid } = lstatSync(home.path('pg'));
    const files = readdirSync(home.path('pg'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => lstatSync(home.path('pg', file)).uid !== uid)).toEqual([]);
    if (process.getuid?.() === 0) expect(uid).not.toBe(0);
    expect(readdirSync(home.path('pg')).sort()).toEqual(['container_hba.conf', 'data']);
    expect(readdirSync(home.run).filter((file) => file.startsWith('container-'))).toEqual([]);
  }, 120_000);

  test('a killed runner is followed by another one, which has the data alone', async () => {
    const postgres = await start();
    const first = servers();
    expect(first).toHaveLength(1);
    process.kill(runner(), 'SIGKILL');
    while (servers()[0] === first[0] || servers().length === 0) await sleep(20);
    await ready();
    expect(servers()).toHaveLength(1);
    expect(await containers()).toHaveLength(1);
    expect(await query('select n from kept')).toEqual([{ n: 1 }]);
    await postgres.stop();
    expect(await containers()).toEqual([]);
  }, 60_000);

  test('an installed server of the same version goes on with its data', async () => {
    const programs = await installedPrograms(home.path('pg', 'data'));
    const postgres = await supervise(home, await postgresPart(home, programs, port), () => undefined);
    try {
      await ready();
      expect(await query('select n from kept')).toEqual([{ n: 1 }]);
      await expect(makePart()).rejects.toMatchObject({
        name: 'StackError',
        message: expect.stringContaining(`Process ${postgres.pid()} serves the data`) as string,
      });
    } finally {
      await postgres.stop();
    }
  }, 60_000);

  describe('when the supervisor is killed', () => {
    const started: ChildProcess[] = [];
    afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

    /** A supervisor in a process of its own. */
    async function supervisor(): Promise<ChildProcess> {
      const { program } = compileTree();
      const from = (path: string): string => JSON.stringify(pathToFileURL(program(path)).href);
      const search = JSON.stringify({ port, image, dockerHost: dockerHost(), mayPull: true });
      const script = `import { postgresContainer } from ${from('infra/stack/postgres/container.js')};
        import { supervise } from ${from('infra/stack/supervised.js')};
        import { prepareHome } from ${from('infra/stack/home.js')};
        import { loadConfig } from ${from('infra/config.js')};
        const home = await prepareHome(loadConfig());
        const search = { ...${search}, home, say: () => undefined, signal: new AbortController().signal };
        await supervise(home, (await postgresContainer(search)).part, () => undefined);`;
      const env = environmentFor(home.root);
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env, stdio: 'ignore' });
      started.push(child);
      return child;
    }

    async function kill(child: ChildProcess): Promise<void> {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }

    test('what it left is stopped in order at the next start, which has the data alone', async () => {
      const killed = await supervisor();
      await ready();
      await kill(killed);
      expect(servers()).toHaveLength(1);
      expect(await stopLeftovers(home)).toEqual(['postgres']);
      expect(servers()).toEqual([]);
      expect(await endLeftoverContainers(home)).toEqual([]);
    }, 60_000);

    test('and its runner with it, the container is ended before any other server opens the data', async () => {
      const killed = await supervisor();
      await ready();
      await kill(killed);
      process.kill(runner(), 'SIGKILL');
      await sleep(100);
      expect(servers()).toHaveLength(1);
      expect(await stopLeftovers(home)).toEqual([]);
      expect(await endLeftoverContainers(home)).toEqual(['postgres']);
      expect([servers(), await containers()]).toEqual([[], []]);
    }, 60_000);

    test('in the middle of making the database, what it has begun does not touch what the next one makes', async () => {
      home = await prepareHome(configFor(join(folder.path, 'interrupted')));
      const pg = home.path('pg');
      const partials = () => readdirSync(pg).filter((name) => name.startsWith('data.partial'));
      const killed = await supervisor();
      while (!existsSync(pg) || !partials().some((name) => existsSync(join(pg, name, 'base')))) await sleep(5);
      await kill(killed);
      expect(partials()).toHaveLength(1);
      expect(await containers()).toEqual([identityFor(home, 'postgres-init').name]);
      await makePart();
      expect(readdirSync(pg).sort()).toEqual(['container_hba.conf', 'data']);
      expect(await containers()).toEqual([]);
    }, 60_000);

    test('and Docker with them, nothing opens the data until it is known to be free', async () => {
      const record = { ...identityFor(home, 'postgres'), docker_host: 'unix:///nonexistent/docker.sock' };
      const path = join(home.run, 'container-postgres.json');
      const boot_id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      writeFileSync(path, JSON.stringify({ ...record, boot_id }));
      await expect(endLeftoverContainers(home)).rejects.toMatchObject({
        name: 'StackError',
        message: expect.stringContaining('may still use the data') as string,
      });
      // What a boot that is over has left does not run.
      writeFileSync(path, JSON.stringify({ ...record, boot_id: 'the boot before' }));
      expect(await endLeftoverContainers(home)).toEqual([]);
      expect(existsSync(path)).toBe(false);
    });
  });

  test('data of another version is left alone, and Docker is not asked', async () => {
    const { data, ...search } = { data: home.path('pg', 'data'), home, port, image: 'postgres:9' };
    const attempt = postgresContainer({
      ...{ ...search, dockerHost: 'unix:///nonexistent/docker.sock' },
      ...{ mayPull: true, say: () => undefined, signal: patience.signal },
    });
    await expect(attempt).rejects.toMatchObject({
      name: 'WayClosed',
      message: expect.stringContaining(`The image postgres:9 is not for the data in ${data}`) as string,
    });
  });
});
