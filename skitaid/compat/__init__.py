"""The import names of skitaid's ancestors, for apps that were written for them: thin, with nothing of their own. This
folder is installed, or put on `sys.path`, as a whole: what lies in it are top-level modules.
"""
