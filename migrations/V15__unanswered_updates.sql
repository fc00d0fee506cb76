-- What an update was about to write while no answer to it is noted: the CRM may hold it or not. Such a record is sent
-- again even when it has become what was acknowledged before, which would otherwise be taken for unchanged.
alter table crm_links add column fields_unanswered text;
