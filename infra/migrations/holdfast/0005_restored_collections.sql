-- Row B6. What the names of this database's collections end in. A restore gives its side an ending of its own: what is written
-- after it never touches the points of the side that may be put back.
alter table incarnation add column collections text not null default '';
