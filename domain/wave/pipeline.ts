import { pipelineOf, pipelines } from '../document-pipeline.ts';
import { lexicalVersion } from '../lexical/terms.ts';

/** Parser, chunker and stemmer: what makes other chunks of the same bytes. null: of a type that nothing reads. */
export function pipelineIn(mediaType: string | null): string {
  return `${pipelineOf(mediaType)} ${lexicalVersion}`;
}

/** Every one that is in force today, by media type. */
export const pipelinesInForce: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(pipelines).map(([mediaType, pipeline]) => [mediaType, `${pipeline} ${lexicalVersion}`]),
);
