import { waveSchema, type Wave } from '../domain/wave/schemas.ts';
import type { WaveOutcome, WavePhase } from '../domain/wave/words.ts';
import { changesOf } from './changes.ts';
import type { Context } from './command.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { createRate } from './rate.ts';
import { waitFor } from './waiting.ts';

/** What the outcome of a wave is to a script. */
function exitCodeOf({ outcome, quarantined }: Wave['result']): ExitCode {
  const whole: readonly (WaveOutcome | null)[] = ['committed', 'nothing_to_do', 'planned'];
  if (whole.includes(outcome)) return quarantined > 0 ? exitCodes.partial : exitCodes.ok;
  if (outcome === 'committed_partial') return exitCodes.partial;
  return outcome === 'refused' ? exitCodes.refused : exitCodes.failed;
}

export function comeBackToWave(id: string): string {
  return `holdfast wave show ${id} --follow`;
}

/** Shows each phase, each check and how far it is, until the wave is closed; what came of it is the exit code. */
export async function followWave({ api, out }: Context, id: string, timeoutMs: number | null): Promise<ExitCode> {
  const run = { what: `wave ${id}`, comeBack: comeBackToWave(id) };
  const followed = { path: `/v1/waves/${encodeURIComponent(id)}`, event: 'wave', schema: waveSchema };
  return waitFor(out, run, timeoutMs, async (left) => {
    const tell = createTeller(out);
    for await (const wave of changesOf(api, followed, left)) {
      tell(wave);
      if (wave.closed_at !== null) return conclude(out, wave);
      if (out.json) out.data(wave, []);
    }
    throw new Error('the changes of a wave end only when it is closed');
  });
}

/** For people: what it did, what it was proved by, and what is left to do. */
export function linesOfWave(wave: Wave): string[] {
  const { plan, result, progress } = wave;
  const planned =
    plan === null
      ? []
      : [
          `  plan        ${plan.added} added, ${plan.changed} changed, ${plan.moved} moved, ${plan.removed} removed, ${plan.unchanged} unchanged, ${plan.quarantined} quarantined`,
          `  cost        ${plan.bytes} bytes, about ${plan.chunks_estimate} chunks${plan.embed_seconds_estimate === null ? '' : `, ${plan.embed_seconds_estimate} s of embedding`}`,
          ...plan.examples.map(({ change, source, path }) => `    ${change.padEnd(8)} ${source}/${path}`),
        ];
  return [
    `${wave.project} ${wave.name} ${wave.id}: ${wave.phase}${wave.paused ? ', paused' : ''}`,
    ...planned,
    ...(progress === null
      ? []
      : [`  progress    ${progress.done} of ${progress.items} documents, ${progress.chunks} chunks`]),
    `  result      ${result.outcome ?? '-'}${result.failure_reason === null ? '' : ` (${result.failure_reason})`}`,
    `  generation  ${result.number ?? '-'}`,
    `  written     ${result.documents} documents, ${result.chunks} chunks, ${result.embedded} embedded`,
    `  left out    ${result.quarantined} quarantined, ${result.failed} failed`,
    ...wave.evidence.map(({ ok, phase, check, reason }) => `  ${ok ? '✓' : '✗'} ${phase}  ${check}: ${reason}`),
  ];
}

function conclude(out: Output, wave: Wave): ExitCode {
  const { id, project, result } = wave;
  const end = `${project}: ${String(result.outcome)}`;
  out.data(wave, result.outcome === 'planned' ? linesOfWave(wave) : [end]);
  const exitCode = exitCodeOf(result);
  if (exitCode !== exitCodes.ok) {
    const left = result.quarantined + result.failed;
    const why =
      result.failure_reason ?? (left > 0 ? `left out: ${left === 1 ? 'one document' : `${left} documents`}` : null);
    out.message(`holdfast: ${end}${why === null ? '' : ` (${why})`}`);
    out.message(`next: holdfast wave ${left > 0 ? 'items' : 'show'} ${id}`);
  }
  return exitCode;
}

function createTeller({ message, paint }: Output): (wave: Wave) => void {
  const phases = new Set<WavePhase>();
  const rate = createRate();
  let checks = 0;
  let told = -1;

  function tellProgress({ progress, phase }: Wave): void {
    if (progress === null || phase !== 'write' || progress.done === told) return;
    told = progress.done;
    const { perSecond, secondsLeft } = rate(Date.now(), progress);
    const pace = perSecond === null ? '' : `, ${perSecond.toFixed(1)} a second, ${Math.ceil(secondsLeft ?? 0)} s left`;
    message(`    ${progress.done} of ${progress.items} documents, ${progress.chunks} chunks${pace}`);
  }

  return (wave) => {
    const { phase, evidence, requested_at, closed_at, id } = wave;
    const enter = (entered: WavePhase, atMs: number): void => {
      if (phases.has(entered)) return;
      phases.add(entered);
      message(
        `  ${Math.max(0, (atMs - Date.parse(requested_at)) / 1000)
          .toFixed(1)
          .padStart(6)} s  ${entered}`,
      );
      if (entered === 'approve') message(`next: holdfast wave approve ${id}`);
      if (entered === 'attention') message(`next: holdfast wave retry ${id}, or complete, or cancel`);
    };
    for (const { ok, check, reason, phase: during, at } of evidence.slice(checks)) {
      enter(during, Date.parse(at));
      message(`    ${ok ? paint('green', '✓') : paint('red', '✗')} ${check}: ${reason}`);
    }
    checks = evidence.length;
    enter(phase, closed_at === null ? Date.now() : Date.parse(closed_at));
    tellProgress(wave);
  };
}
