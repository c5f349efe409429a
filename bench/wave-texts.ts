import type { Embedder } from '../adapters/embeddings/embedder.ts';
import { embeddingKey, normalise, type EmbeddingIdentity } from '../domain/embedding.ts';

const dimensions = 384;
const clusters = 200;
const vocabulary = 20_000;
/** Of a paragraph, which is about what a chunk takes. */
const wordsOfAParagraph = 130;
const paragraphsOfADocument = 12;

/** Documents with words by Zipf's law, every second one in Markdown; the seed decides all. About twelve chunks each. */
export function* texts(documents: number, seed = 1): Generator<readonly [path: string, text: string]> {
  const random = mulberry32(seed);
  for (let at = 0; at < documents; at += 1) {
    const paragraphs = Array.from({ length: paragraphsOfADocument }, () => sentence(random, wordsOfAParagraph));
    const folder = `part-${at % 100}`;
    if (at % 2 === 0) yield [`${folder}/text-${at}.txt`, `${paragraphs.join('\n\n')}\n`];
    else yield [`${folder}/text-${at}.md`, markdown(`Text ${at}`, paragraphs)];
  }
}

/** A heading to each paragraph, and lines of a common length. */
function markdown(title: string, paragraphs: readonly string[]): string {
  const sections = paragraphs.map((text, at) => `## Part ${at}\n\n${text.replace(/((?:\S+ ){11}\S+) /g, '$1\n')}\n`);
  return `# ${title}\n\n${sections.join('\n')}`;
}

export function questions(count: number, seed = 2): string[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => sentence(random, 8));
}

function sentence(random: () => number, words: number): string {
  return Array.from({ length: words }, () => word(Math.floor(vocabulary ** random()))).join(' ');
}

/** Looks like a word, so that stems and tokens are made of it as of one. */
function word(rank: number): string {
  const syllables = ['ba', 'ke', 'li', 'mo', 'nu', 'ra', 'se', 'ti', 'vo', 'zu'];
  return String(rank).replace(/\d/g, (digit) => syllables[Number(digit)] ?? '');
}

/** Costs nothing: vectors in clusters, chosen by the text. */
export function createStubEmbedder(): Embedder {
  const random = mulberry32(3);
  const centres = Array.from({ length: clusters }, () =>
    Float32Array.from({ length: dimensions }, () => random() - 0.5),
  );
  const identity: EmbeddingIdentity = {
    ...{ model: 'stub', sha256: null, dimensions, pooling: 'served', max_tokens: null },
    prefix: { passage: '', query: '' },
  };
  const vectorOf = (text: string): Float32Array => {
    let hash = 2_166_136_261;
    for (let at = 0; at < text.length; at += 7) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619);
    const near = mulberry32(hash);
    const centre = centres[(hash >>> 0) % clusters] ?? new Float32Array(dimensions);
    return normalise(centre.map((value) => value + (near() - 0.5) * 0.8));
  };
  return {
    identity,
    key: embeddingKey(identity),
    embed: (all) => Promise.resolve(all.map(vectorOf)),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
