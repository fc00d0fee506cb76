-- Title
-- One row per thing.
-- :a integer = 1  help
-- :b number = 0.5
-- :c day = 2026-01-01
-- :d text = two words  help
select :a
