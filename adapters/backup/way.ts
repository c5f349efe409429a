/** Whether a relative way from a folder of a set, `.` for its root, stays in the set all the time. */
export function isWithin(folder: string, way: string): boolean {
  let depth = folder === '.' || folder === '' ? 0 : folder.split('/').length;
  for (const part of way.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '.' && part !== '') depth += 1;
    if (depth < 0) return false;
  }
  return true;
}
