/** One thing that was measured, and what it must not exceed. */
export interface Figure {
  readonly figure: string;
  readonly driver: 'process' | 'docker';
  /** null: it could not be measured; `how` says why. */
  readonly value: number | null;
  readonly unit: 'ms' | 'requests' | 'events';
  readonly bound: number;
  readonly ok: boolean;
  /** How it comes about, in one line. */
  readonly how: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export type Measured = Pick<Figure, 'value' | 'how' | 'detail'>;

/** By nearest rank: of few values the 95th percentile is the worst one, never something in between. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Of times in ms: whole ones, with all of them so that a reader can judge the spread. */
export function spread(times: readonly number[]): Record<'p50' | 'p95' | 'max', number> & { all: readonly number[] } {
  const all = times.map(Math.round);
  return { p50: percentile(all, 0.5), p95: percentile(all, 0.95), max: Math.max(...all), all };
}

export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ figure: name, driver, value, unit, bound, ok }) => [
    ...[name, driver, value === null ? 'not measured' : `${value} ${unit}`, `<= ${bound}`, ok ? 'ok' : 'NOT OK'],
  ]);
  const all = [['figure', 'driver', 'measured', 'bound', ''], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
