"""The story of Weighbridge, played on a real model through public clients only.

Nothing here imports the hub: accounts come from its command line, files go through
huggingface_hub and `hf`, everything else through the forms that a browser would send.
"""
