/** A version of a document, as a wave hands it over. Texts hold neither NUL nor half of a surrogate pair. */
export interface NewDocument {
  readonly key: string;
  readonly source: string;
  readonly path: string;
  readonly uri: string | null;
  readonly title: string;
  readonly media_type: string;
  readonly kind: 'corpus' | 'trusted_operational';
  /** ISO time. */
  readonly as_of: string | null;
  readonly view: string | null;
  /** Of trusted_operational: the name by which the operator's list, and `supersedes`, mean it. */
  readonly item: string | null;
  readonly supersedes: string | null;
  readonly content_sha256: Uint8Array;
  readonly pipeline: string;
  readonly bytes: number;
}

export interface NewChunk {
  readonly ordinal: number;
  readonly heading: readonly string[];
  /** UTF-16 code units into the document's text. */
  readonly text_start: number;
  readonly text_end: number;
  readonly place: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly embedded_sha256: Uint8Array;
  /** Ascending, each once. */
  readonly terms: readonly number[];
  readonly weights: readonly number[];
  /** Normalised. null: there is none, because nothing is embedded, or it is stored already. */
  readonly vector: Float32Array | null;
}

/** A document as it is to be at a generation: whole, with all its chunks. */
export interface DocumentWrite {
  readonly document: NewDocument;
  readonly chunks: readonly NewChunk[];
}

export interface DocumentMove {
  readonly key: string;
  readonly path: string;
  readonly uri: string | null;
  /** Left out: it keeps the one it has. */
  readonly title?: string;
}

/** What a point is made of; the id is that of its chunk. */
export interface Point {
  readonly id: string;
  readonly project: string;
  readonly kind: string;
  readonly born: number;
  readonly died: number;
  readonly terms: readonly number[];
  readonly weights: readonly number[];
  /** null: in a collection without dense vectors. */
  readonly dense: Float32Array | null;
}

/** Rows that are written; the points have to follow. */
export interface WrittenRows {
  /** Of what is born. */
  readonly collection: string;
  readonly points: readonly Point[];
  readonly kept: number;
  /** Ids by the collection in which their points are. */
  readonly died: ReadonlyMap<string, readonly string[]>;
  readonly revived: readonly string[];
  readonly stray: readonly string[];
}
