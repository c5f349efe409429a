/** Bytes in megabytes, as disks are sold. */
export function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
