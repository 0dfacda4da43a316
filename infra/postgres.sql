-- Run once, when PostgreSQL's data folder is new (infra/compose.yaml, or by hand for another PostgreSQL).
CREATE DATABASE mlflow;
CREATE DATABASE mlflow_auth;
CREATE DATABASE prefect;
