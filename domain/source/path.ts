/** An index of Postgres holds no longer ones together with the names of project and source. */
const mostBytes = 1_500;

/**
 * What is wrong with a path within a source; null: it is relative, leads nowhere else, and every part of it is a name. A
 * backslash is refused because it parts folders elsewhere, and control characters because they forge lines of logs.
 */
export function pathObstacle(path: string): string | null {
  if (path === '') return 'it is empty';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'it is absolute';
  if (/[\p{Cc}\p{Surrogate}\\]/u.test(path)) return 'it has characters that no name may have';
  if (utf8Bytes(path) > mostBytes) return `it is longer than ${mostBytes} bytes`;
  const parts = path.split('/');
  if (parts.some((part) => part === '..' || part === '.')) return 'it leads out of its folder';
  if (parts.includes('')) return 'a part of it is empty';
  return null;
}

/** What two paths share when some file system would take them for one. */
export function collisionKey(path: string): string {
  return path.normalize('NFC').toLowerCase().toUpperCase().toLowerCase().normalize('NFC');
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
