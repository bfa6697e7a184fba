"""The commands of the engines' package."""
