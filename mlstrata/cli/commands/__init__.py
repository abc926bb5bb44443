"""The names, options and help of the commands, by what they are about; the work is in the modules of `cli`."""
