-- Links to files are signed while the answer that holds them is built, by hmac() in the same statement.
create extension if not exists pgcrypto;
