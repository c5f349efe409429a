/** Postgres cuts longer names off without a word. */
const longestName = 63;

/** The restored database, before it is live and after it was put back. Its form is what adapters/backup lets a restore make. */
export function besideName(database: string, restoreId: string): string {
  return sideName(database, `_restore_${eight(restoreId)}`);
}

/** What was live, while it is held. */
export function oldName(database: string, restoreId: string): string {
  return sideName(database, `_before_${eight(restoreId)}`);
}

/** Behind the names of all collections of the restored side, so that neither side ever writes into those of the other. */
export function collectionSuffix(restoreId: string): string {
  return `-r${eight(restoreId)}`;
}

/** The name that a collection has on the side with this suffix, whichever side it was made on. */
export function onSide(collection: string, suffix: string): string {
  return `${collection.replace(/-r[0-9a-f]{8}$/, '')}${suffix}`;
}

function sideName(database: string, ending: string): string {
  return `${database.slice(0, longestName - ending.length)}${ending}`;
}

function eight(restoreId: string): string {
  return restoreId.replaceAll('-', '').slice(0, 8);
}
