-- The generation that a deploy of the platform goes back to; null where it goes to the heads. No reference: the record
-- outlives the generation.

alter table deployments add column to_generation_id blob;
