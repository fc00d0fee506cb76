-- What every column means, written from the one declaration in the program each time the file is opened for writing.

create table data_dictionary (
  object    text not null,
  column    text not null,
  type      text not null,
  unit      text,
  api_field text,
  crm_field text,
  meaning   text not null,
  primary key (object, column)
) strict, without rowid;
