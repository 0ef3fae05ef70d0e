-- What is written waits in a list of each search index until the list is full or the table is vacuumed, and every search reads
-- the whole list. With 4 MB of it (the default) a search took 4.6 ms after 20 new purposes a second for 20 s, with 64 kB 1.4;
-- without any list writing a purpose took 2.3 ms more.
alter index purpose_description_trgm_idx set (gin_pending_list_limit = 64);
alter index purpose_comments_trgm_idx set (gin_pending_list_limit = 64);
alter index stage_value_trgm_idx set (gin_pending_list_limit = 64);
alter index stage_note_trgm_idx set (gin_pending_list_limit = 64);
alter index stage_custom_name_trgm_idx set (gin_pending_list_limit = 64);
alter index file_attachment_original_filename_trgm_idx set (gin_pending_list_limit = 64);

-- What waits already.
select gin_clean_pending_list(index)
from unnest(array[
  'purpose_description_trgm_idx', 'purpose_comments_trgm_idx', 'stage_value_trgm_idx', 'stage_note_trgm_idx',
  'stage_custom_name_trgm_idx', 'file_attachment_original_filename_trgm_idx'
]::regclass[]) index;
