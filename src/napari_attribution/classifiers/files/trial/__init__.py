"""The trial of a classifier file in another process, before it is loaded in this one."""
