"""The supervisor: reads conf, starts one master per instance, keeps them running and answers the command line."""
