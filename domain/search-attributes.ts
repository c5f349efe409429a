/** What runs can be found by in Temporal's UI and CLI, all keywords. No secrets, no contents. */
export const searchAttributeNames = ['HoldfastKind', 'HoldfastSubject', 'HoldfastPhase', 'HoldfastOutcome'] as const;
