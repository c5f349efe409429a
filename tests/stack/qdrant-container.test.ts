import getPort from 'get-port';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDocker, type Docker } from '../../adapters/docker/connection.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { endLeftoverContainers } from '../../infra/stack/container/leftovers.ts';
import { identityFor } from '../../infra/stack/container/order.ts';
import { prepareHome, type Home } from '../../infra/stack/home.ts';
import { qdrantContainer } from '../../infra/stack/qdrant/container.ts';
import { embeddedQdrant } from '../../infra/stack/qdrant/embedded.ts';
import { ownQdrant, qdrantSetup, readyQdrant, type QdrantSetup } from '../../infra/stack/qdrant/qdrant.ts';
import { supervise, type Supervised } from '../../infra/stack/supervised.ts';
import { compileTree } from '../support/compile.ts';
import { describeDocker, dockerSocket, removeImagesOf } from '../support/docker.ts';
import { machineLayer } from '../support/machine-image.ts';
import { configFor, createFolder } from '../support/own-home.ts';
import { startRegistry, type Registry } from '../support/registry.ts';

const { signal } = new AbortController();

/** Reads the part of Qdrant's settings that stands in a file, as Qdrant does, for our server, which reads its environment. */
const standIn = `
import json, os, runpy, sys
if "--version" in sys.argv:
    print("qdrant 1.18.3")
    sys.exit()
with open(sys.argv[sys.argv.index("--config-path") + 1]) as settings:
    for name, value in json.load(settings)["service"].items():
        os.environ["QDRANT__SERVICE__" + name.upper()] = value
sys.argv = sys.argv[:1]
sys.path.insert(0, "/qdrant")
runpy.run_module("embedded_qdrant", run_name="__main__")
`;

describeDocker('Qdrant in a container', () => {
  const folder = createFolder();
  let docker: Docker;
  let registry: Registry;
  let image: string;
  let home: Home;
  let setup: QdrantSetup;

  beforeAll(async () => {
    docker = createDocker({ socketPath: dockerSocket() });
    registry = await startRegistry();
    const config = configFor(join(folder.path, 'home'));
    home = await prepareHome(config);
    setup = await qdrantSetup(home, await getPort());
    const { argv } = await embeddedQdrant({ cache: config.cache, say: () => undefined, signal });
    registry.publishLayer('qdrant', 'v1.18.3', await qdrantLayer(argv[0]), {});
    image = `127.0.0.1:${registry.port}/qdrant:v1.18.3`;
  }, 180_000);

  afterAll(async () => {
    await endLeftoverContainers(home);
    await removeImagesOf(docker, registry);
    registry.stop();
    folder.remove();
  });

  /** Python with the packages of the environment that the stack makes, and our server in the place of Qdrant's program. */
  async function qdrantLayer(python: string): Promise<Buffer> {
    const ask = 'import sys, sysconfig; print(sysconfig.get_path("stdlib"), sys.prefix, sep="\\n")';
    const said = execFileSync(python, ['-c', ask], { encoding: 'utf8' });
    const [library = '', environment = ''] = said.trim().split('\n');
    const program = join(folder.path, 'qdrant');
    writeFileSync(program, `#!${python} -s${standIn}`);
    chmodSync(program, 0o755);
    const isLibrary = (name: string) => /\.so(\.|$)/.test(name);
    const libraries = [environment, join(library, 'lib-dynload')].flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter(isLibrary)
        .map((name) => join(root, name)),
    );
    // What is installed beside the standard library may be anything.
    const modules = readdirSync(library)
      .filter((name) => name !== 'site-packages')
      .map((name) => join(library, name));
    return machineLayer({
      programs: [python, ...libraries],
      folders: [environment, ...modules],
      without: /^(__pycache__|pip|setuptools|pkg_resources|dist-packages|tests?|idlelib|ensurepip|lib2to3|config-.*)$/,
      placed: {
        [program]: '/qdrant/qdrant',
        [join(packageRoot, 'infra/qdrant/embedded_qdrant')]: '/qdrant/embedded_qdrant',
      },
    });
  }

  async function start(): Promise<Supervised> {
    const dockerHost = `unix://${dockerSocket()}`;
    const { part } = await qdrantContainer({
      ...setup,
      image,
      dockerHost,
      mayPull: true,
      say: () => undefined,
      signal,
    });
    // dist/ may be older than the sources.
    const [node, , order = ''] = part.argv;
    const argv = [node, compileTree().program('infra/stack/container/run-container.js'), order] as const;
    const supervised = await supervise(home, { ...part, argv }, () => undefined);
    await ready();
    return supervised;
  }

  const server = () => ({ url: `http://127.0.0.1:${setup.port}`, apiKey: setup.apiKey });

  async function ready(): Promise<void> {
    await readyQdrant(server(), { timeoutMs: 40_000, signal }, ownQdrant(setup));
  }

  async function kept(): Promise<number> {
    return (await connectQdrant(server()).count('kept', { exact: true })).count;
  }

  async function containers() {
    return docker.api.listContainers({ all: true, filters: { label: [`holdfast.home=${home.root}`] } });
  }

  test('serves behind its keys, of which Docker knows nothing, and leaves no container', async () => {
    const qdrant = await start();
    const client = connectQdrant(server());
    await client.createCollection('kept', { vectors: { size: 2, distance: 'Dot' } });
    await client.upsert('kept', { wait: true, points: [{ id: 1, vector: [1, 2] }] });
    const refused = connectQdrant({ ...server(), apiKey: null }).getCollections();
    await expect(refused).rejects.toMatchObject({ status: 401 });
    const seen = JSON.stringify(await docker.api.getContainer(identityFor(home, 'qdrant').name).inspect());
    expect(seen).toContain(setup.storage);
    expect(seen).not.toContain(setup.apiKey);
    expect(seen).not.toContain(setup.readOnlyKey);
    await qdrant.stop();
    expect(await containers()).toEqual([]);
    const uid = process.getuid?.();
    const files = readdirSync(home.path('qdrant'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => lstatSync(home.path('qdrant', file)).uid !== uid)).toEqual([]);
    expect(existsSync(home.path('qdrant', 'storage'))).toBe(true);
  }, 120_000);

  test('a killed runner is followed by another one, which has the data alone', async () => {
    const qdrant = await start();
    expect(await kept()).toBe(1);
    const [before] = await containers();
    const record = readFileSync(join(home.run, 'process-qdrant.json'), 'utf8');
    process.kill((JSON.parse(record) as { pid: number }).pid, 'SIGKILL');
    const isNext = async (): Promise<boolean> => {
      const [now, ...others] = await containers();
      return now !== undefined && now.Id !== before?.Id && now.State === 'running' && others.length === 0;
    };
    while (!(await isNext())) await sleep(20);
    await ready();
    expect(await kept()).toBe(1);
    await qdrant.stop();
    expect(await containers()).toEqual([]);
  }, 90_000);
});
