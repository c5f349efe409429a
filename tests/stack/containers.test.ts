import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { recoveryPointDetailSchema } from '../../domain/backup/point-schemas.ts';
import { deploySchema, type Deploy } from '../../domain/deploy/schemas.ts';
import type { Drill } from '../../domain/drill/schemas.ts';
import { healthSchema, type Health } from '../../domain/health.ts';
import type { SearchAnswer } from '../../domain/search/schemas.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { makeContainerStack, type ContainerStack } from '../support/containers/container-stack.ts';
import { describeDocker, dockerSocket } from '../support/docker.ts';
import { fullSize } from '../support/proof-size.ts';

/*
 * infra/Dockerfile and infra/compose.yaml, built and run. No image can be pulled where tests run, so the base of Holdfast's
 * image and the images of the servers are made of this machine's own programs, with entrypoints of ours: they are
 * stand-ins for the official images, but what runs in them is the real Postgres, the real Temporal server on it, and the
 * embedded Qdrant.
 */
jest.setTimeout(240_000);

const bytesOverBase = 350 * 1024 ** 2;
const server = `
import { createServer } from "node:http";
const { PORT, BUILD_SHA } = process.env;
createServer((request, response) => response.end(JSON.stringify({ build_sha: BUILD_SHA }))).listen(PORT, "127.0.0.1");
`;

/** The folders of what only development needs. */
function developmentPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(packageRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.keys(packages).filter((name) => packages[name]?.dev === true);
}

/** Of every process there is, those in containers too. */
function commandLines(): string {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids
    .map((id) => {
      try {
        return readFileSync(join('/proc', id, 'cmdline'), 'utf8');
      } catch {
        return ''; // It has ended.
      }
    })
    .join('\n');
}

describeDocker('containers', () => {
  let stack: ContainerStack;
  let token: string;

  let remove = (): Promise<void> => Promise.resolve();

  beforeAll(async () => {
    stack = await makeContainerStack(dockerSocket(), (how) => (remove = how));
  }, 900_000);
  afterAll(() => remove());

  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${stack.url}${path}`, {
      method,
      signal: AbortSignal.timeout(10_000),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said: unknown = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.stringify(said)}`);
    return said;
  }

  async function health(): Promise<Health> {
    return healthSchema.parse(await ask('GET', '/health'));
  }

  async function until<T>(look: () => Promise<T>, isIt: (seen: T) => boolean): Promise<T> {
    const deadline = Date.now() + 120_000;
    for (;;) {
      const seen = await look().catch((error: unknown) => {
        if (Date.now() > deadline) throw error;
        return null;
      });
      if (seen !== null && isIt(seen)) return seen;
      if (Date.now() > deadline) throw new Error(`Not seen in time; last: ${JSON.stringify(seen)}`);
      await sleep(200);
    }
  }

  /** As when the host runs out of memory: of a `docker kill` Docker would think that it was meant to stay down. */
  async function killContainer(service: string): Promise<void> {
    const { State } = await stack.container(service);
    process.kill(State.Pid, 'SIGKILL');
    await until(
      () => stack.container(service),
      (now) => now.State.Running && now.State.Pid !== State.Pid,
    );
  }

  test('the image runs as a user of its own, says what was built, and holds only what runs', async () => {
    const { Config, Size } = await stack.docker.getImage(stack.image).inspect();
    const base = await stack.docker.getImage(stack.base).inspect();
    expect(Config.User).toBe('10001:10001');
    expect(Config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'Holdfast',
      'org.opencontainers.image.revision': stack.build.build_sha,
      'org.opencontainers.image.created': stack.build.build_time,
    });
    expect(Config.Healthcheck?.Test).toContain('node');
    process.stderr.write(`Holdfast's image: ${Math.round((Size - base.Size) / 1024 ** 2)} MB over its base\n`);
    expect(Size - base.Size).toBeLessThan(bytesOverBase);
    const development = developmentPackages();
    expect(development.length).toBeGreaterThan(100);
    const look = `id -u; ls -A /app; for p in ${development.join(' ')}; do [ ! -e "/app/$p/package.json" ] || echo "$p"; done`;
    expect(await stack.runImage(look)).toBe('10001\nLICENSE\ndist\ninfra\nnode_modules\npackage.json\n');
  });

  test('everything comes up in order, and the API answers on loopback', async () => {
    await stack.compose(['--profile', 'worker', 'up', '--detach', 'holdfast', 'worker']);
    const seen = await until(health, ({ status }) => status === 'ok');
    expect(seen).toMatchObject(stack.build);
    const { State, NetworkSettings } = await stack.container('holdfast');
    expect(Object.values(NetworkSettings.Ports).flat()).toEqual([expect.objectContaining({ HostIp: '127.0.0.1' })]);
    expect(State.Running).toBe(true);
    token = (await stack.run('holdfast', 'cat "$HOLDFAST_HOME/secrets/admin-token"')).trim();
    expect(await stack.run('holdfast', 'holdfast status')).toContain('ok');
  });

  test('Temporal keeps its tables in Postgres, as a user that sees nothing else', async () => {
    const askPostgres = (sql: string) =>
      stack.run('postgres', `psql --username holdfast --dbname temporal --tuples-only --no-align --command "${sql}"`);
    expect(Number(await askPostgres('select count(*) from namespaces'))).toBeGreaterThan(0);
    const rights = "select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = 'temporal'";
    expect(await askPostgres(rights)).toBe('f\n');
  });

  test('D9 a deploy goes on when the container of its worker is killed', async () => {
    await stack.run(
      'worker',
      `mkdir -p "$HOLDFAST_HOME/repositories/web"; cd "$HOLDFAST_HOME/repositories/web"; git init -q -b main
      echo '${server}' > server.mjs; git add .; git -c user.name=t -c user.email=t@t commit -qm one`,
    );
    await ask('PUT', '/v1/services/web', {
      box: 'worker',
      source: { git: '/var/lib/holdfast/repositories/web', ref: 'main' },
      build: [{ argv: ['node', '-e', 'setTimeout(() => {}, 5000)'] }],
      run: { argv: ['node', 'server.mjs'], env: { PORT: '3456' } },
      probes: { http: { url: 'http://127.0.0.1:3456/' } },
      watch: { startup_ms: 20_000, stable_ms: 1_500, window_ms: 60_000, period_ms: 300, idle_period_ms: 300 },
    });
    const { id } = deploySchema.parse(await ask('POST', '/v1/services/web/deploys', {}));
    const shown = async (): Promise<Deploy> => deploySchema.parse(await ask('GET', `/v1/deploys/${id}`));
    await until(shown, ({ phase }) => phase === 'build');
    await killContainer('worker');
    const { result } = await until(shown, ({ closed_at }) => closed_at !== null);
    expect(result).toMatchObject({ outcome: 'promoted' });
    expect(await stack.run('worker', 'wget -qO- http://127.0.0.1:3456/')).toContain('build_sha');
  });

  test('what was deployed in a container runs again after the container was killed', async () => {
    await killContainer('worker');
    const answer = await until(
      () => stack.run('worker', 'wget -qO- http://127.0.0.1:3456/'),
      (said) => said.includes('build_sha'),
    );
    expect(answer).toContain('build_sha');
  });

  test('Docker finds it healthy', async () => {
    const { State } = await until(
      () => stack.container('holdfast'),
      (now) => now.State.Health?.Status !== 'starting',
    );
    expect(State.Health?.Status).toBe('healthy');
  });

  /** The answer of the command line in the container. */
  async function cli<T>(words: string): Promise<T> {
    const said = await stack.run('holdfast', `holdfast ${words} --json`);
    return JSON.parse(said.trim().split('\n').at(-1) ?? '') as T;
  }

  const inodes = () => Object.values(stack.folders).map((folder) => statSync(folder).ino);
  const notes = (name: string) => join(stack.folders.notes, name);
  const searched = async () => (await cli<SearchAnswer>('search --project lan where is the core switch')).hits[0];
  const switchFound = { path: 'switch.md', scores: { dense: expect.any(Number) as number } };

  describe('B7 the data folder and the files of a service are mounts of folders of the machine', () => {
    let before: number[];

    beforeAll(async () => {
      before = inodes();
      const spec = { title: 'LAN', sources: [{ kind: 'upload', name: 'main' }] };
      const { id } = (await ask('POST', '/v1/projects/proposals', { project: 'lan', spec })) as { id: string };
      await ask('POST', `/v1/projects/proposals/${id}/approve`, { self_approve: true, reason: 'a test' });
      await stack.run(
        'holdfast',
        `mkdir /tmp/lan; cd /tmp/lan
        printf '# Core switch\\n\\nThe core switch stands in the cellar.\\n' > switch.md
        printf '# Printer\\n\\nPaper is on the first floor.\\n' > printer.md
        holdfast source upload lan main switch.md printer.md
        holdfast wave start lan --wait
        cd /srv/notes; echo kept > settings; sqlite3 notes.db "create table notes(text); insert into notes values ('kept')"`,
      );
      await ask('PUT', '/v1/services/notes', {
        box: 'compose',
        source: { git: '/var/lib/holdfast/repositories/notes', ref: 'main' },
        run: { argv: ['node', 'server.mjs'] },
        files: [{ name: 'data', path: '/srv/notes' }],
      });
    });

    test('B9 a drill in scratch passes, with vectors and these files', async () => {
      const { stamp } = await cli<{ stamp: string }>('backup create --wait');
      expect(readdirSync(join(stack.folders.home, 'backups'))).toContain(stamp);
      const point = recoveryPointDetailSchema.parse(await ask('GET', `/v1/backups/${stamp}`));
      expect(point.file_sets).toContainEqual(
        expect.objectContaining({ root: '/srv/notes', service: 'notes', files: 2, bind_mount: true }),
      );
      expect(point.collections).toContainEqual(
        expect.objectContaining({ why: null, points: 2, member: expect.any(String) as string }),
      );
      const drill = await cli<Drill>('drill run --level scratch --wait');
      expect(drill.result).toMatchObject({ outcome: 'passed', stamp });
      const levels = drill.evidence.map(({ check, ok }) => [check, ok]);
      expect(levels).toEqual(['fetch', 'L0', 'L1', 'L2', 'L3'].map((level) => [level, true]));
      expect(drill.evidence.find(({ check }) => check === 'L2')?.detail).toMatchObject({ rebuilt: [] });
    });

    test('B9 a live drill passes: its marker is gone, and all that was there is there', async () => {
      const drill = await cli<Drill>('drill run --level live --confirm live --wait');
      expect(drill.result).toMatchObject({ outcome: 'passed', failure_reason: null });
      const steps = drill.evidence.map(({ check, ok }) => [check, ok]);
      expect(steps).toEqual(['backup', 'marker.written', 'restore', 'marker.gone'].map((step) => [step, true]));
      expect(await searched()).toMatchObject(switchFound);
      expect([inodes(), readFileSync(notes('settings'), 'utf8')]).toEqual([before, 'kept\n']);
    });

    test('B6 without an API: a container of its own restores with the volumes and secrets of the one that is stopped', async () => {
      const { items } = (await ask('GET', '/v1/backups')) as { items: { stamp: string }[] };
      const stamp = items[0]?.stamp ?? '';
      rmSync(notes('notes.db'));
      for (const name of ['settings', 'stray']) writeFileSync(notes(name), 'lost\n');
      await stack.compose(['stop', 'holdfast']);
      const asked = ['backup', 'restore', stamp, '--confirm-service-stopped', '--confirm', stamp.slice(-4)];
      await stack.compose(['run', '--rm', '-T', 'holdfast', ...asked]);
      expect([inodes(), readFileSync(notes('settings'), 'utf8')]).toEqual([before, 'kept\n']);
      expect(existsSync(notes('stray'))).toBe(false);

      await stack.compose(['up', '--detach', 'holdfast']);
      await until(health, ({ status }) => status === 'ok');
      expect(await stack.run('holdfast', 'sqlite3 /srv/notes/notes.db "select text from notes"')).toBe('kept\n');
      expect(await searched()).toMatchObject(switchFound);
      const restored = (await ask('GET', '/v1/restores')) as { items: { phase: string }[] };
      expect(restored.items[0]).toMatchObject({ stamp, phase: 'held', result: { live: 'restored' } });
      expect(await cli('restore undo --wait')).toMatchObject({ result: { outcome: 'undone' } });
      expect([inodes(), readFileSync(notes('settings'), 'utf8')]).toEqual([before, 'lost\n']);
    });
  });

  test('no secret is in a configuration, a command line or a log', async () => {
    const places = new Map([
      ['history of the image', JSON.stringify(await stack.docker.getImage(stack.image).history())],
      ['command lines', commandLines()],
    ]);
    for (const service of ['holdfast', 'worker', 'postgres', 'temporal-schema', 'temporal', 'qdrant']) {
      places.set(`configuration of ${service}`, JSON.stringify(await stack.container(service)));
      places.set(`log of ${service}`, await stack.log(service));
    }
    const secrets = Object.entries({ ...stack.secrets, token });
    const found = [...places].flatMap(([place, text]) =>
      secrets.filter(([, secret]) => text.includes(secret)).map(([name]) => `${name} in ${place}`),
    );
    expect(found).toEqual([]);
    expect(secrets.length).toBe(5);
  });

  // In CI that is seen where servers of the machine are started again.
  if (fullSize) {
    test('down and up again keeps what is known, and what should run runs', async () => {
      const before = await ask('GET', '/v1/services/web');
      await stack.compose(['--profile', 'worker', 'down', '--timeout', '10']);
      await stack.compose(['--profile', 'worker', 'up', '--detach', 'holdfast', 'worker']);
      await until(health, ({ status }) => status === 'ok');
      const after = await ask('GET', '/v1/services/web');
      const { desired } = before as { desired: { release_id: string } };
      expect(after).toMatchObject({ name: 'web', desired: { release_id: desired.release_id, state: 'running' } });
      const answer = await until(
        () => stack.run('worker', 'wget -qO- http://127.0.0.1:3456/'),
        (said) => said.includes('build_sha'),
      );
      expect(answer).toContain(desired.release_id);
    });
  }
});
