"""Whether an environment fits a cluster beside what is there already: operators, definitions, namespaces of others."""
