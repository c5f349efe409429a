import type { Command } from 'commander';
import type { Hit, SearchAnswer } from '../../domain/search/schemas.ts';
import { leaf, number, runs, several, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

interface SearchOptions {
  readonly project: readonly string[];
  readonly limit: number;
  readonly generation?: number;
  readonly kind?: string;
  readonly text?: boolean;
}

export function searchCommand(program: Command): void {
  leaf(program, 'search <query...>', 'searches the projects that are named, by meaning and by words')
    .requiredOption('--project <name>', 'an id or alias, may be repeated; no other project is searched', several)
    .option('--limit <n>', 'how many hits at the most', number(1, 100), 10)
    .option(
      '--generation <n>',
      'as at this committed generation of the one project',
      number(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--kind <kind>', 'only corpus, or only trusted_operational')
    .option('--text', 'the whole text of each hit')
    .action(runs((context, words: string[], options: SearchOptions) => search(context, words.join(' '), options)));
}

async function search({ api, out }: Context, query: string, options: SearchOptions): Promise<ExitCode> {
  const { searchAnswerSchema, searchRequestSchema } = await import('../../domain/search/schemas.ts');
  const { usageError } = await import('../cli-error.ts');
  const { project: projects, limit, generation, kind } = options;
  const request = searchRequestSchema.safeParse({ query, projects, limit, generation, kind });
  if (!request.success)
    throw usageError(request.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; '));
  const answer = await api.ask('/v1/search', request.data, searchAnswerSchema);
  out.data(
    answer,
    answer.hits.flatMap((hit, index) => linesOf(hit, index, options.text === true)),
  );
  tellWhole(answer, out);
  return answer.degraded.length > 0 ? exitCodes.partial : exitCodes.ok;
}

function tellWhole({ hits, projects, degraded }: SearchAnswer, { message }: Context['out']): void {
  for (const { project, generation, resolved_by, asked } of projects) {
    const meant = resolved_by === 'id' ? '' : ` (${asked})`;
    message(
      generation === 0
        ? `${project}${meant}: nothing was ever committed`
        : `${project}${meant} at generation ${generation}`,
    );
  }
  if (hits.length === 0) message('nothing was found');
  for (const { project, reason, detail } of degraded) message(`degraded: ${project}: ${reason}: ${detail}`);
}

function linesOf(hit: Hit, index: number, whole: boolean): string[] {
  const { project, path, heading, place, scores, trusted, text, uri } = hit;
  const where = [path, ...heading].join(' > ');
  const line = typeof place['line'] === 'number' ? `:${place['line']}` : '';
  const marks = [...(trusted === null ? [] : [trusted.stale ? 'stale view' : 'trusted view'])];
  const each = [shown('dense', scores.dense), shown('bm25', scores.lexical), shown('fused', scores.fused)];
  return [
    `${index + 1}. ${project}  ${where}${line}  ${[...marks, ...each].join('  ')}`,
    ...(uri === null ? [] : [`   ${uri}`]),
    `   ${whole ? text.replaceAll('\n', '\n   ') : snippet(text)}`,
  ];
}

function shown(name: string, score: number | null): string {
  return `${name} ${score === null ? '-' : score.toFixed(3)}`;
}

function snippet(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= 160 ? line : `${line.slice(0, 159)}…`;
}
