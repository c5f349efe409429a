-- Row B4 at other places. none: nothing is ever taken away there.
alter table offsite_targets
  add column retention text not null default 'same' check (retention in ('same', 'none')),
  -- Why what retention lets go cannot be taken away there; null: nothing is in the way.
  add column retention_reason text;

-- removing: its manifest may be gone already, and the rest follows. removed: retention let it go, here and there.
alter table offsite_copies
  drop constraint offsite_copies_state_check,
  add constraint offsite_copies_state_check
    check (state in ('uploading', 'verified', 'damaged', 'refused', 'removing', 'removed'));

-- How far a restore is, told every few seconds; null where there is nothing to tell.
alter table restores add column progress jsonb;
