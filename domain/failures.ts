/** Permanent conditions. Each is the `type` of a non-retryable ApplicationFailure; nothing else may be one. */
export type FailureType =
  | 'ServiceUnknown'
  | 'SourceUnreachable'
  | 'SourceGone'
  | 'SourceRefused'
  | 'SourceTooLarge'
  | 'SourceEmpty'
  | 'NoRoom'
  | 'RefUnknown'
  | 'ReleaseUnknown'
  | 'ReleaseMissing'
  | 'BuildFailed'
  | 'MemberDamaged'
  | 'MemberMissing'
  | 'KeyMissing'
  | 'ManifestRefused'
  | 'PointUnknown'
  | 'GuardRefused'
  | 'RunSpecInvalid'
  | 'LockLost'
  | 'DesiredStateChanged'
  | 'CommandNotFound'
  | 'CommandFailed'
  | 'ProjectUnknown'
  | 'SourceUnknown'
  | 'WaveUnknown'
  | 'QuestionSetUnknown'
  | 'IncarnationChanged'
  | 'GenerationClosed'
  | 'DocumentsCollide'
  | 'VectorMissing'
  | 'CollectionMismatch'
  | 'EmbeddingMismatch'
  | 'TextRefused'
  | 'CollectionUnreadable'
  | 'GenerationUnknown'
  | 'PointUnproved'
  | 'ScheduledRunFailed'
  | 'PostgresToolsMissing'
  | 'FileSetRefused'
  | 'RestoreRefused'
  | 'PinLost'
  | 'FilesInUse'
  | 'SwapRefused';

/** A permanent failure in adapters and activities: carries its type to where Temporal's own error is made. */
export class PermanentFailure extends Error {
  constructor(
    readonly type: FailureType,
    message: string,
  ) {
    super(message);
    this.name = type;
  }
}

export function isPermanentFailure(error: unknown): error is PermanentFailure {
  return error instanceof PermanentFailure;
}
