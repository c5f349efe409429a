-- Since when no chunk was seen to need a vector; null: one may. What nothing has needed for long is taken away (G6).
alter table vectors add column unused_since timestamptz;
create index vectors_unused on vectors (unused_since) where unused_since is not null;
