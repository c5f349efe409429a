import { Tokenizer } from '@huggingface/tokenizers';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { LocalModel, ModelFile } from './local-models.ts';
import { throughGate, type NativeGate } from './native-gate.ts';

// A thread of its own: a text takes the processor for tens of milliseconds. One text at a time, because several at once are no
// faster on a processor and are padded to the longest; no arena, because it would keep the memory of the longest for ever.

export interface ThreadData {
  readonly folder: string;
  readonly model: LocalModel;
  /** Threads of the runtime, this one included. */
  readonly threads: number;
  readonly gate: NativeGate;
}

/** null: that was all, the thread ends. */
export type ThreadQuestion = { readonly id: number; readonly text: string } | null;

export type ThreadAnswer =
  | { readonly ready: true }
  /** It cannot be loaded. `mismatch`: its bytes are not those that are known. */
  | { readonly refused: string; readonly mismatch: boolean }
  /** Mean over the tokens, not normalised. */
  | { readonly id: number; readonly vector: Float32Array }
  | { readonly id: number; readonly error: string };

const quietOptions = {
  interOpNumThreads: 1,
  executionMode: 'sequential',
  enableCpuMemArena: false,
  enableMemPattern: false,
} as const;
/** More of a text is never read: word pieces are far shorter. */
const mostCharacters = 16_384;

/** What is used of the package: its own types are not found by this compiler. */
type WordPieces = new (
  tokenizer: object,
  config: object,
) => { encode(text: string): { readonly ids: readonly number[] } };

class Mismatch extends Error {}

async function load({ folder, model, threads, gate }: ThreadData): Promise<(text: string) => Promise<Float32Array>> {
  const [weights, tokenizer, config] = await Promise.all(
    [model.weights, model.tokenizer, model.tokenizerConfig].map((file) => readKnown(folder, file)),
  );
  if (weights === undefined || tokenizer === undefined || config === undefined)
    throw new Error('three files are three');
  const words = new (Tokenizer as WordPieces)(parse(tokenizer), parse(config));
  const options = { ...quietOptions, intraOpNumThreads: threads };
  const session = await throughGate(gate, () => InferenceSession.create(weights, options));
  const { dimensions, max_tokens } = model.identity;
  const embed = async (text: string): Promise<Float32Array> => {
    const tokens = cut(words.encode(text.slice(0, mostCharacters)).ids, max_tokens ?? Infinity);
    const output = await throughGate(gate, () => session.run(inputsOf(tokens, session.inputNames)));
    const states = output[session.outputNames[0] ?? '']?.data as Float32Array | undefined;
    if (states?.length !== tokens.length * dimensions)
      throw new Mismatch(`the model does not give ${dimensions} numbers`);
    return mean(states, dimensions);
  };
  // Ready is what has done it once.
  await embed('');
  return embed;
}

/** What is run is what was hashed: the same bytes in memory. */
async function readKnown(folder: string, { path, sha256 }: ModelFile): Promise<Buffer> {
  const bytes = await readFile(join(folder, path));
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw new Mismatch(`${path} of the embedding model has the checksum ${actual}, not ${sha256}`);
  return bytes;
}

function parse(bytes: Buffer): object {
  return JSON.parse(bytes.toString('utf8')) as object;
}

/** The last one, which ends a text, stays. */
function cut(ids: readonly number[], most: number): readonly number[] {
  return ids.length <= most ? ids : [...ids.slice(0, most - 1), ids.at(-1) ?? 0];
}

function inputsOf(tokens: readonly number[], names: readonly string[]): Record<string, Tensor> {
  const tensor = (values: BigInt64Array): Tensor => new Tensor('int64', values, [1, tokens.length]);
  const known: Record<string, Tensor> = {
    input_ids: tensor(BigInt64Array.from(tokens, BigInt)),
    attention_mask: tensor(new BigInt64Array(tokens.length).fill(1n)),
    token_type_ids: tensor(new BigInt64Array(tokens.length)),
  };
  return Object.fromEntries(Object.entries(known).filter(([name]) => names.includes(name)));
}

function mean(states: Float32Array, dimensions: number): Float32Array {
  const sums = new Float64Array(dimensions);
  for (let at = 0; at < states.length; at += 1)
    sums[at % dimensions] = (sums[at % dimensions] ?? 0) + (states[at] ?? 0);
  return Float32Array.from(sums, (sum) => (sum * dimensions) / states.length);
}

function say(answer: ThreadAnswer): void {
  parentPort?.postMessage(answer, 'vector' in answer ? [answer.vector.buffer as ArrayBuffer] : []);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function main(): Promise<void> {
  const embed = await load(workerData as ThreadData);
  let last = Promise.resolve();
  parentPort?.on('message', (question: ThreadQuestion) => {
    if (question === null) {
      parentPort?.close();
      return;
    }
    const { id, text } = question;
    last = last.then(async () => {
      try {
        say({ id, vector: await embed(text) });
      } catch (error) {
        say({ id, error: reasonOf(error) });
      }
    });
  });
  say({ ready: true });
}

main().catch((error: unknown) => say({ refused: reasonOf(error), mismatch: error instanceof Mismatch }));
