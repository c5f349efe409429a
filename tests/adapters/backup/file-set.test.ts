import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bytesOfSet, packFileSet, type FileSet, type PackedFiles } from '../../../adapters/backup/file-set.ts';
import { isMountPoint } from '../../../adapters/files/mounts.ts';
import { createMemberReader, createMemberWriter } from '../../../adapters/backup/sealed-member.ts';
import { backUpSqlite, companionOf } from '../../../adapters/backup/sqlite.ts';
import { readTar, unpackTar } from '../../../adapters/backup/tar-unpack.ts';
import { bindMounted, writeTree } from '../restore/bind-mounted.ts';

const run = promisify(execFile);
const signal = new AbortController().signal;
let folder: string;
let root: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-files-'));
  root = join(folder, 'root');
  await mkdir(root);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const set = (exclude: readonly string[] = []): FileSet => ({ name: 'data', service: null, root, exclude });

async function throughTar(of: FileSet): Promise<{ packed: PackedFiles; unpacked: string }> {
  const { tar, packed } = packFileSet(of, folder, signal);
  const unpacked = join(folder, 'unpacked');
  await mkdir(unpacked);
  expect(await unpackTar(tar, unpacked, signal)).toEqual({ files: packed.files, bytes: packed.bytes });
  return { packed, unpacked };
}

test('B1 a set comes back as it was: contents, empty folders, links inside, modes and times', async () => {
  await mkdir(join(root, 'a/b'), { recursive: true });
  await mkdir(join(root, 'empty'));
  const large = Buffer.alloc(3_000_000, 'large ');
  await writeFile(join(root, 'a/b/large.bin'), large);
  await writeFile(join(root, `${'long-name-'.repeat(20)}ü.txt`), 'long');
  await writeFile(join(root, 'a/none'), '');
  await symlink('../a/none', join(root, 'a/link'));
  await chmod(join(root, 'a/none'), 0o640);
  await utimes(join(root, 'a/none'), 1_000_000_000, 1_000_000_000);
  const { packed, unpacked } = await throughTar(set());
  expect(packed).toEqual({ files: 3, bytes: large.length + 4, sqlite: [] });
  expect((await readFile(join(unpacked, 'a/b/large.bin'))).equals(large)).toBe(true);
  expect((await readdir(unpacked)).sort()).toEqual((await readdir(root)).sort());
  expect(await readdir(join(unpacked, 'empty'))).toEqual([]);
  expect(await readlink(join(unpacked, 'a/link'))).toBe('../a/none');
  const none = await stat(join(unpacked, 'a/none'));
  expect([none.mode & 0o777, none.mtimeMs]).toEqual([0o640, 1_000_000_000_000]);
});

test('B1 what is excluded is not copied, nor are sockets and pipes', async () => {
  await writeFile(join(root, 'kept.txt'), 'kept');
  await mkdir(join(root, 'cache'));
  await writeFile(join(root, 'cache/x'), 'x');
  await run('mkfifo', [join(root, 'pipe')]);
  const { packed, unpacked } = await throughTar(set(['cache', 'cache/**']));
  expect(packed.files).toBe(1);
  expect(await readdir(unpacked)).toEqual(['kept.txt']);
});

test.each([
  ['a pipe', 'mkfifo "$0"', []],
  ['a link', 'ln -s b "$0"', ['a']],
  ['nothing', 'true', []],
])('B1 a file that %s takes the place of while the set is read holds nothing up', async (_, command, left) => {
  await writeFile(join(root, 'a'), 'alpha');
  await writeFile(join(root, 'b'), 'beta');
  let asked = 0;
  // It is asked when a file was found, and before it is opened.
  const between = {
    throwIfAborted: () => {
      if ((asked += 1) === 1) execFileSync('sh', ['-c', `rm "$0" && ${command}`, join(root, 'a')]);
    },
  };
  const { tar, packed } = packFileSet(set(), folder, between as AbortSignal);
  await mkdir(join(folder, 'unpacked'));
  await unpackTar(tar, join(folder, 'unpacked'), signal);
  expect(packed.files).toBe(1);
  expect((await readdir(join(folder, 'unpacked'))).sort()).toEqual([...left, 'b']);
});

test('B1 what a set may take is counted of what is wanted of it, and nothing where there is none', async () => {
  await mkdir(join(root, 'cache'));
  await writeFile(join(root, 'cache/large'), Buffer.alloc(1_000_000));
  await writeFile(join(root, 'kept'), 'kept');
  expect(await bytesOfSet(set(['cache/**']))).toBe(4);
  expect(await bytesOfSet({ root: join(root, 'nowhere'), exclude: [] })).toBe(0);
});

test.each(['/etc/passwd', '../outside', 'inner/../../outside'])(
  'B1 a link to %s is refused, by name',
  async (target) => {
    await symlink(target, join(root, 'link'));
    const { tar } = packFileSet(set(), folder, signal);
    await mkdir(join(folder, 'unpacked'));
    await expect(unpackTar(tar, join(folder, 'unpacked'), signal)).rejects.toMatchObject({
      name: 'FileSetRefused',
      message: expect.stringMatching(/root\/link leads out of its set/) as string,
    });
  },
);

test('B1 whoever reads may end first, as on a full disk: no file stays open, and with it no room', async () => {
  for (let at = 0; at < 12; at += 1) await writeFile(join(root, `${at}.bin`), Buffer.alloc(3_000_000, 'large '));
  const { tar } = packFileSet(set(), folder, signal);
  for await (const chunk of tar) if ((chunk as Buffer).length > 0) break;
  const open = async (): Promise<string[]> => {
    const files = await readdir('/proc/self/fd');
    const paths = await Promise.all(files.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return paths.filter((path) => path.startsWith(root));
  };
  for (const deadline = Date.now() + 5_000; (await open()).length > 0 && Date.now() < deadline;)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await open()).toEqual([]);
});

test('B3 who is told to end in the middle of an archive says nothing of it', async () => {
  await writeFile(join(root, 'first'), 'first');
  await writeFile(join(root, 'second'), randomBytes(8_000_000));
  await mkdir(join(folder, 'members'));
  const { env } = process;
  const member = await createMemberWriter({ folder, recipients: [], env }).seal(
    { name: 'files-data.tar', kind: 'files', compression: 'zstd' },
    packFileSet(set(), folder, signal).tar,
    signal,
  );
  const ending = new AbortController();
  const plain = createMemberReader({ folder, identities: [], env }).open(member, ending.signal);
  const read = readTar(plain, ending.signal, async ({ path }) => {
    if (path === 'first') ending.abort(new Error('the worker is shut down'));
  });
  await expect(read).rejects.toThrow('the worker is shut down');
});

test('B1 a set that is not there is refused', async () => {
  const { tar } = packFileSet({ ...set(), root: join(folder, 'nowhere') }, folder, signal);
  await expect(unpackTar(tar, folder, signal)).rejects.toMatchObject({ name: 'FileSetRefused' });
});

test('B8 a database of SQLite with a live -wal is copied as one file of one moment, with what was committed only', async () => {
  const database = join(root, 'app.db');
  await run('sqlite3', [database, 'pragma journal_mode = wal; create table t (n int); insert into t values (1)']);
  // A writer that holds the log open: what it committed is only in the -wal, what it has not is nowhere.
  const writer = execFile('sqlite3', [database]);
  const exited = new Promise((resolve) => writer.once('exit', resolve));
  writer.stdin?.write(
    'pragma wal_autocheckpoint = 0; insert into t values (2); begin; insert into t values (3); select 9;\n',
  );
  await new Promise((resolve) => writer.stdout?.once('data', resolve));
  expect((await readdir(root)).sort()).toEqual(['app.db', 'app.db-shm', 'app.db-wal']);
  const { packed, unpacked } = await throughTar(set());
  writer.stdin?.end('commit;\n');
  await exited;
  expect(packed.sqlite).toEqual(['app.db']);
  expect(await readdir(unpacked)).toEqual(['app.db']);
  const { stdout } = await run('sqlite3', [
    join(unpacked, 'app.db'),
    'select group_concat(n) from t; pragma integrity_check',
  ]);
  expect(stdout).toBe('1,2\nok\n');
});

test('B8 a copy of a database comes to its end while another process writes without a pause', async () => {
  const database = join(root, 'busy.db');
  await run('sqlite3', [
    database,
    'pragma journal_mode = wal; create table t (v text); insert into t select hex(randomblob(400)) from generate_series(1, 20000)',
  ]);
  const writer = execFile('sqlite3', [database], { maxBuffer: 2 ** 26 });
  const exited = new Promise((resolve) => writer.once('exit', resolve));
  // It is ended in the middle of them.
  writer.stdin?.on('error', () => undefined);
  writer.stdin?.write("insert into t values ('x');\n".repeat(20_000));
  const { packed, unpacked } = await throughTar(set());
  writer.kill();
  await exited;
  expect(packed.sqlite).toEqual(['busy.db']);
  const { stdout } = await run('sqlite3', [join(unpacked, 'busy.db'), 'select count(*) >= 20000 from t']);
  expect(stdout).toBe('1\n');
});

test('B8 a damaged database is refused, by name: it would be kept as if it were good', async () => {
  const database = join(root, 'app.db');
  await run('sqlite3', [
    database,
    'create table t (v text); insert into t select hex(randomblob(400)) from generate_series(1, 200)',
  ]);
  const bytes = await readFile(database);
  bytes.fill(0xff, 4_096, 4_200);
  await writeFile(database, bytes);
  const { tar } = packFileSet(set(), folder, signal);
  await mkdir(join(folder, 'unpacked'));
  await expect(unpackTar(tar, join(folder, 'unpacked'), signal)).rejects.toMatchObject({
    name: 'FileSetRefused',
    message: expect.stringContaining('app.db') as string,
  });
});

test('B8 a disk that is full says nothing of the database', async () => {
  await run('sqlite3', [join(root, 'app.db'), 'create table t (v text)']);
  await symlink('/dev/full', join(folder, 'copy.db'));
  await expect(backUpSqlite(join(root, 'app.db'), join(folder, 'copy.db'), signal)).rejects.toMatchObject({
    ...{ name: 'NoRoom', message: expect.stringContaining('app.db') as string },
  });
});

test('B7 a mount point is known as one, also of the same file system', async () => {
  expect(await isMountPoint('/proc')).toBe(true);
  expect(await isMountPoint(root)).toBe(false);
});

test('B7 what a file system keeps at its top is no content of a set that is mounted there', async () => {
  const bound = bindMounted();
  try {
    writeTree(bound.root, { 'lost+found/found': 'by fsck', 'inner/lost+found': 'a file of ours', kept: 'kept' });
    const { packed, unpacked } = await throughTar({ ...set(), root: bound.root });
    expect([packed.files, (await readdir(unpacked)).sort()]).toEqual([2, ['inner', 'kept']]);
    expect(await bytesOfSet({ root: bound.root, exclude: [] })).toBe('a file of ours'.length + 'kept'.length);
    // Where nothing is mounted it is a folder as any other.
    expect(await bytesOfSet({ root: bound.source, exclude: [] })).toBe('by fsck a file of ours kept'.length - 2);
  } finally {
    bound.close();
  }
});

test('B8 what stands beside a database', () => {
  expect(['x.db-wal', 'x.db-shm', 'a/x-journal', 'x.db', 'wal'].map(companionOf)).toEqual([
    'x.db',
    'x.db',
    'a/x',
    null,
    null,
  ]);
});
